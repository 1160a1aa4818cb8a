#include "star/text.h"

#include "core/rng.h"

namespace star::synthesis {

std::string text_identity(const std::vector<TextFile>& files) {
  uint64_t hash = 0, bytes = 0;
  for (const auto& file : files) {
    hash = hash * 0x100000001b3u + hash_text(file.text);
    bytes += file.text.size();
  }
  return fmt::format("text of {} bytes in {} files, {:016x}", bytes, files.size(), hash);
}

namespace {

std::vector<TokenFile> bytes_of(std::vector<TextFile> files) {
  std::vector<TokenFile> tokens;
  for (auto& file : files) tokens.push_back(cut(file.name, Tokens(std::move(file.text))));
  return tokens;
}

TokenKind bytes_as_tokens(int vocab) {
  TokenKind kind{.vocab = vocab, .unit = "bytes"};
  kind.bytes.assign(256, 1);
  kind.bytes.resize(size_t(vocab));
  return kind;
}

}  // namespace

TextData::TextData(std::vector<TextFile> files, int length, std::string name, int vocab)
    : TextData(text_identity(files), files, length, std::move(name), vocab) {}

TextData::TextData(std::string identity, std::vector<TextFile>& files, int length, std::string name,
                   int vocab)
    : TokenData(bytes_of(std::move(files)), bytes_as_tokens(vocab), length, std::move(name),
                std::move(identity)) {}

}  // namespace star::synthesis
