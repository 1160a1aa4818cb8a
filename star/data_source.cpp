#include "star/data_source.h"

#include "core/error.h"
#include "star/data_files.h"
#include "star/text.h"
#include "star/token_files.h"

namespace star::synthesis {
namespace {

OpenedData open_tokens_of(const DataFiles& found, const DataSource& source, int length) {
  TokenFiles files = open_token_files(found.tokens, source.vocab);
  require(!files.files.empty(), "{}: no tokens, only empty files", source.path);
  TokenKind kind{.vocab = int(source.vocab > 0 ? source.vocab : files.largest + 1)};
  OpenedData opened;
  if (source.vocab == 0)
    opened.warning = fmt::format(
        "a vocabulary of {}, the largest token and one; --vocab says otherwise", kind.vocab);
  opened.data = std::make_unique<TokenData>(std::move(files.files), std::move(kind), length,
                                            source.path, std::move(files.identity));
  return opened;
}

OpenedData open_text(TextFiles text, const DataSource& source, int length) {
  constexpr int kBytes = 256;
  require(source.vocab == 0 || source.vocab >= kBytes, "--vocab {}: text has {} tokens, its bytes",
          source.vocab, kBytes);
  const int vocab = source.vocab > 0 ? int(source.vocab) : kBytes;
  OpenedData opened;
  opened.warning = warning_of(text);
  opened.data = std::make_unique<TextData>(std::move(text.files), length, source.path, vocab);
  return opened;
}

}  // namespace

OpenedData open_data(const DataSource& source, int length) {
  if (source.path == kStandardInput)
    return open_text(read_standard_input(source.text_field), source, length);
  const DataFiles found = find_data(source.path);
  if (!found.tokens.empty()) return open_tokens_of(found, source, length);
  const std::string field = source.text_field.empty() ? "text" : source.text_field;
  return open_text(read_text(found, source.path, field), source, length);
}

}  // namespace star::synthesis
