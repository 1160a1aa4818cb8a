#include "star/words.h"

#include <utf8proc.h>

#include "core/error.h"

namespace star::synthesis {
namespace {

enum class Kind { letter, number, newline, space, other, end };

struct Character {
  Kind kind;
  size_t size;  // in bytes
};

// White_Space beyond ASCII.
bool is_space(utf8proc_int32_t c) {
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

Kind kind_of(utf8proc_int32_t c) {
  if (is_space(c)) return Kind::space;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Kind::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::number;
    default:
      return Kind::other;
  }
}

Kind kind_of_ascii(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::letter;
  if (c >= '0' && c <= '9') return Kind::number;
  if (c == '\n' || c == '\r') return Kind::newline;
  return c == ' ' || (c >= '\t' && c <= '\r') ? Kind::space : Kind::other;
}

Character character_at(std::string_view text, size_t at) {
  if (at >= text.size()) return {Kind::end, 0};
  if (static_cast<unsigned char>(text[at]) < 0x80) return {kind_of_ascii(text[at]), 1};
  utf8proc_int32_t c;
  const utf8proc_ssize_t size =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                       utf8proc_ssize_t(std::min<size_t>(text.size() - at, 4)), &c);
  if (size <= 0) return {Kind::other, 1};
  return {kind_of(c), size_t(size)};
}

bool is_white(Kind kind) { return kind == Kind::space || kind == Kind::newline; }

// Where characters of this kind end, at most so many.
size_t run_end(std::string_view text, size_t at, Kind kind, size_t most = ~size_t(0)) {
  for (size_t n = 0; n < most; ++n) {
    const Character c = character_at(text, at);
    if (c.kind != kind) break;
    at += c.size;
  }
  return at;
}

// Bytes of 's, 't, 're, 've, 'm, 'll or 'd; 0: none of them.
size_t contraction(std::string_view text, size_t at, bool any_case) {
  if (text[at] != '\'') return 0;
  auto letter = [&](size_t i) {
    const char c = at + i < text.size() ? text[at + i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? char(c | 0x20) : c;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (any_case && text.substr(at + 1).starts_with("\u017f")) return 3;  // ſ is a small s
  const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                   (first == 'l' && second == 'l');
  return two ? 3 : 0;
}

// \s+(?!\S)|\s+: white space but for its last character, where something follows.
size_t space_end(std::string_view text, size_t at) {
  size_t end = at, last = at;
  for (Character c = character_at(text, end); is_white(c.kind); c = character_at(text, end)) {
    last = end;
    end += c.size;
  }
  return end < text.size() && last > at ? last : end;
}

size_t gpt2_end(std::string_view text, size_t at) {
  if (const size_t n = contraction(text, at, false)) return at + n;
  Kind kind = character_at(text, at).kind;
  if (text[at] == ' ') {
    const Kind next = character_at(text, at + 1).kind;
    if (next != Kind::end && !is_white(next)) return run_end(text, at + 1, next);
  }
  return is_white(kind) ? space_end(text, at) : run_end(text, at, kind);
}

// \s*[\r\n]+: white space up to its last line end; `at` where it has none.
size_t lines_end(std::string_view text, size_t at) {
  size_t end = at;
  for (Character c = character_at(text, at); is_white(c.kind); c = character_at(text, at)) {
    at += c.size;
    if (c.kind == Kind::newline) end = at;
  }
  return end;
}

size_t llama3_end(std::string_view text, size_t at, size_t digits) {
  if (const size_t n = contraction(text, at, true)) return at + n;
  const Character c = character_at(text, at), next = character_at(text, at + c.size);
  if (c.kind == Kind::letter) return run_end(text, at, Kind::letter);
  if (c.kind == Kind::number) return run_end(text, at, Kind::number, digits);
  if (c.kind != Kind::newline && next.kind == Kind::letter)
    return run_end(text, at + c.size, Kind::letter);
  if (c.kind == Kind::other || (text[at] == ' ' && next.kind == Kind::other)) {
    const size_t begin = c.kind == Kind::other ? at : at + 1;
    return run_end(text, run_end(text, begin, Kind::other), Kind::newline);
  }
  const size_t lines = lines_end(text, at);
  return lines > at ? lines : space_end(text, at);
}

struct Row {
  Words words;
  const char* regex;
};
constexpr Row kRows[] = {
    {Words::gpt2, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {Words::llama3,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {Words::qwen2,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

}  // namespace

size_t word_end(std::string_view text, size_t at, Words words) {
  switch (words) {
    case Words::whole:
      return text.size();
    case Words::gpt2:
      return gpt2_end(text, at);
    case Words::llama3:
      return llama3_end(text, at, 3);
    case Words::qwen2:
      return llama3_end(text, at, 1);
  }
  fail("words: there is no kind {}", int(words));
}

std::string regex_of(Words words) {
  for (const Row& row : kRows)
    if (row.words == words) return row.regex;
  return "";
}

Words words_of(const std::string& regex, const std::string& name) {
  for (const Row& row : kRows)
    if (row.regex == regex) return row.words;
  fail("{}: words by the regular expression `{}` are unknown", name, regex.substr(0, 80));
}

}  // namespace star::synthesis
