// Text as tokens and back: byte-level byte-pair encoding. Text is first parted at the tokens that
// were added to the vocabulary, such as <|endoftext|>, then into words, and each word is merged.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "star/bpe.h"
#include "star/words.h"

namespace star::synthesis {

inline constexpr const char* kEndOfText = "<|endoftext|>";

struct AddedToken {
  int32_t id;
  std::string text;
  bool special = true;
  bool late = false;  // looked for in what the others leave of the text (HF: `normalized`)
};

struct TokenizerParts {
  std::vector<std::string> tokens;  // their bytes, by number; empty: no such token
  std::vector<Merge> merges;        // in the order of their ranks
  Words words = Words::gpt2;
  bool whole_words = false;  // a word that is a token needs no merges (HF: `ignore_merges`)
  std::vector<AddedToken> added;
};

// Immutable: any number of threads may ask.
class Tokenizer {
 public:
  // `name` is what errors call it. Error: a byte without a token, a merge of no tokens or to none.
  Tokenizer(TokenizerParts parts, const std::string& name);

  int vocab() const { return int(parts_.tokens.size()); }
  const TokenizerParts& parts() const { return parts_; }

  std::vector<int32_t> encode(std::string_view text) const;
  // Any tokens of the vocabulary; of any text, decode(encode(text)) is the text.
  std::string decode(std::span<const int32_t> tokens) const;

  // What stands between documents: the added token that is named as such usually are, else the
  // token of a byte 0.
  int32_t separator() const { return separator_; }

  // Of how many bytes of text each token stands for; 1 for the separator, like the byte that
  // separates documents of bytes.
  std::vector<int> token_bytes() const;

 private:
  friend class TokenEncoder;
  TokenizerParts parts_;
  std::unique_ptr<const Bpe> bpe_;
  std::array<std::vector<const AddedToken*>, 256> added_;  // by their first byte, the longest first
  int32_t separator_ = 0;
};

// Encodes text after text, and remembers words that it has met.
class TokenEncoder {
 public:
  explicit TokenEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  // Appends the tokens of a text.
  void encode(std::string_view text, std::vector<int32_t>& tokens);

 private:
  void encode_between(std::string_view text, bool late, std::vector<int32_t>& tokens);
  void encode_words(std::string_view text, std::vector<int32_t>& tokens);

  const Tokenizer& tokenizer_;
  std::unordered_map<std::string, std::vector<int32_t>, TextHash, std::equal_to<>> known_;
};

}  // namespace star::synthesis
