#include "core/toml.h"

#include <algorithm>

#include "core/error.h"

namespace star {
// An assumption of the library that a text has broken, such as `[=]`.
struct TomlFault {};
constexpr void assume_of_toml(bool holds) {
  if (!holds) throw TomlFault();
}
}  // namespace star

#define TOML_ASSERT(holds) star::assume_of_toml(static_cast<bool>(holds))
#include <toml++/toml.h>

namespace star {
namespace {

// What the library does with tables recurses, and every level of them takes a point or a bracket.
constexpr int64_t kMaxPoints = 200;

// Points outside of strings and comments, which stand between the parts of a key or in numbers.
int64_t points_of(std::string_view text) {
  int64_t points = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.') ++points;
    if (c == '#') at = std::min(text.find('\n', at), text.size());
    if (c != '"' && c != '\'') continue;
    const std::string_view three = text.substr(at, 3);
    const bool many_lines = three.size() == 3 && three[1] == c && three[2] == c;
    at += many_lines ? 3 : 1;
    for (; at < text.size(); ++at) {
      if (c == '"' && text[at] == '\\')
        ++at;
      else if (many_lines ? text.substr(at, 3) == three : text[at] == c || text[at] == '\n')
        break;
    }
    if (many_lines) at += 2;
  }
  return points;
}

std::string line_text(std::string_view text, int64_t line) {
  for (int64_t i = 1; i < line && !text.empty(); ++i)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  std::string_view shown = text.substr(0, text.find_first_of("\r\n"));
  constexpr size_t kLongest = 60;
  return std::string(shown.substr(0, kLongest)) + (shown.size() > kLongest ? "..." : "");
}

// A number with its point, so that it is not taken for a whole one.
std::string float_text(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_not_of("-0123456789") == text.npos ? text + ".0" : text;
}

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  void read(const toml::table& table, const std::vector<std::string>& names) {
    for (auto& [key, node] : table) {
      const std::string name(key.str());
      if (auto* below = node.as_table()) {
        std::vector<std::string> path = names;
        path.push_back(name);
        read(*below, path);
      } else {
        entries.push_back({names, name, int64_t(key.source().begin.line), TomlEntry::text, {}});
        fill(entries.back(), node);
      }
    }
  }

  std::vector<TomlEntry> entries;

 private:
  void fill(TomlEntry& entry, const toml::node& node) const {
    if (auto* list = node.as_array()) {
      entry.kind = TomlEntry::list;
      for (auto& item : *list) {
        if (scalar(entry, item) == TomlEntry::truth) refuse(entry, "a list of truth values");
      }
      if (list->empty()) refuse(entry, "an empty list");
    } else {
      entry.kind = scalar(entry, node);
    }
  }

  TomlEntry::Kind scalar(TomlEntry& entry, const toml::node& node) const {
    if (auto* text = node.as_string()) {
      entry.values.push_back(text->get());
      return TomlEntry::text;
    }
    if (auto* truth = node.as_boolean()) {
      entry.values.push_back(truth->get() ? "true" : "false");
      return TomlEntry::truth;
    }
    if (auto* whole = node.as_integer())
      entry.values.push_back(fmt::format("{}", whole->get()));
    else if (auto* real = node.as_floating_point())
      entry.values.push_back(float_text(real->get()));
    else
      refuse(entry, node.is_array() || node.is_table() ? "a list of lists or tables" : "a date");
    return TomlEntry::number;
  }

  [[noreturn]] void refuse(const TomlEntry& entry, const char* what) const {
    fail("{}, line {}: {} is {}, which no option takes", file_, entry.line, entry.key, what);
  }

  const std::string& file_;
};

bool has_fault(std::string_view text) {
  try {
    static_cast<void>(toml::parse(text));
  } catch (const TomlFault&) {
    return true;
  } catch (const toml::parse_error&) {
  }
  return false;
}

// The first line up to which the text has a fault.
int64_t line_of_fault(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < text.size(); at = ends.back())
    ends.push_back(std::min(text.find('\n', at), text.size() - 1) + 1);
  const auto whole = [&](size_t end) { return !has_fault(text.substr(0, end)); };
  return std::partition_point(ends.begin(), ends.end(), whole) - ends.begin() + 1;
}

}  // namespace

std::vector<TomlEntry> parse_toml(std::string_view text, const std::string& file) {
  require(points_of(text) <= kMaxPoints, "{}: too many points for a file of options", file);
  Reader reader(file);
  try {
    reader.read(toml::parse(text), {});
  } catch (const toml::parse_error& e) {
    const auto line = int64_t(e.source().begin.line);
    // Whole numbers of TOML end at 2^63 - 1, those of --seed later.
    const bool large =
        e.description().find("not representable in 64 bits") != std::string_view::npos;
    fail("{}, line {}: `{}`: {}{}", file, line, line_text(text, line), e.description(),
         large ? "; write it as a string" : "");
  } catch (const TomlFault&) {
    const int64_t line = line_of_fault(text);
    fail("{}, line {}: `{}`: no TOML", file, line, line_text(text, line));
  }
  std::stable_sort(reader.entries.begin(), reader.entries.end(),
                   [](auto& a, auto& b) { return a.line < b.line; });
  return std::move(reader.entries);
}

}  // namespace star
