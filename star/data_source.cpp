#include "star/data_source.h"

#include <algorithm>

#include "core/error.h"
#include "core/rng.h"
#include "star/data_files.h"
#include "star/json_lines.h"
#include "star/text.h"
#include "star/token_files.h"
#include "star/tokenizer_file.h"

namespace star::synthesis {
namespace {

// The vocabulary that was asked for, which may be larger than what is needed.
int vocab_of(const DataSource& source, int needed, const char* what) {
  require(source.vocab == 0 || source.vocab >= needed, "{}: a vocabulary of {}, {} has {} tokens",
          source.path, source.vocab, what, needed);
  return source.vocab > 0 ? int(source.vocab) : needed;
}

TokenKind kind_of(const DataSource& source) {
  const Tokenizer& tokenizer = *source.tokenizer;
  TokenKind kind{.vocab = vocab_of(source, tokenizer.vocab(), "the tokenizer"),
                 .between = tokenizer.separator(),
                 .bytes = tokenizer.token_bytes()};
  kind.bytes.resize(size_t(kind.vocab));
  return kind;
}

OpenedData open_tokens_of(const DataFiles& found, const DataSource& source, int length) {
  TokenKind kind{.vocab = int(source.vocab)};
  if (source.tokenizer) kind = kind_of(source);
  TokenFiles files = open_token_files(found.tokens, kind.vocab);
  require(!files.files.empty(), "{}: no tokens, only empty files", source.path);
  const bool guessed = kind.vocab == 0;
  if (guessed) kind.vocab = int(files.largest + 1);
  OpenedData opened;
  if (guessed)
    opened.warning = fmt::format(
        "a vocabulary of {}, the largest token and one; --vocab says otherwise", kind.vocab);
  opened.data = std::make_unique<TokenData>(std::move(files.files), std::move(kind), length,
                                            source.path, std::move(files.identity));
  return opened;
}

// The tokens of a text from `begin` to `end`, document by document.
std::vector<int32_t> tokens_of(const TextFile& file, size_t begin, size_t end,
                               const Tokenizer& tokenizer, TokenEncoder& encoder) {
  std::vector<int32_t> tokens;
  const std::string_view text = file.text;
  auto next = std::lower_bound(file.separators.begin(), file.separators.end(), begin);
  for (; next != file.separators.end() && *next < end; ++next) {
    encoder.encode(text.substr(begin, *next - begin), tokens);
    tokens.push_back(tokenizer.separator());
    begin = *next + 1;
  }
  encoder.encode(text.substr(begin, end - begin), tokens);
  return tokens;
}

std::unique_ptr<Dataset> tokenized(std::vector<TextFile> texts, const DataSource& source,
                                   int length) {
  const Tokenizer& tokenizer = *source.tokenizer;
  std::string identity = fmt::format("{}, by tokenizer {:016x}", text_identity(texts),
                                     hash_text(tokenizer_text(tokenizer)));
  TokenEncoder encoder(tokenizer);
  std::vector<TokenFile> files;
  for (TextFile& text : texts) {
    TokenFile file{text.name, {}};
    size_t begin = 0, part = 0;
    for (size_t end : part_ends(text.text.size())) {
      file.parts[part++] =
          Tokens(tokens_of(text, begin, end, tokenizer, encoder), tokenizer.vocab());
      begin = end;
    }
    text = {};
    files.push_back(std::move(file));
  }
  return std::make_unique<TokenData>(std::move(files), kind_of(source), length, source.path,
                                     std::move(identity));
}

OpenedData open_text(TextFiles text, const DataSource& source, int length) {
  OpenedData opened;
  opened.warning = warning_of(text);
  if (source.tokenizer)
    opened.data = tokenized(std::move(text.files), source, length);
  else
    opened.data = std::make_unique<TextData>(std::move(text.files), length, source.path,
                                             vocab_of(source, 256, "text"));
  return opened;
}

}  // namespace

OpenedData open_data(const DataSource& source, int length) {
  if (source.path == kStandardInput)
    return open_text(text_of_standard_input(source.text_field), source, length);
  const DataFiles found = find_data(source.path);
  require(source.text_field.empty() ||
              std::any_of(found.texts.begin(), found.texts.end(), is_json_lines),
          "{}: there are no JSON lines (*.jsonl) for --text-field {}", source.path,
          source.text_field);
  if (!found.tokens.empty()) return open_tokens_of(found, source, length);
  const std::string field = source.text_field.empty() ? "text" : source.text_field;
  return open_text(read_text(found, source.path, field), source, length);
}

}  // namespace star::synthesis
