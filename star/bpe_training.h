// Byte-pair merges learnt from text: again and again the pair of neighbours that occurs most often
// becomes one token, of several the one of the least numbers.
//
// Order and ties are those of Hugging Face's BpeTrainer with initial_alphabet =
// ByteLevel.alphabet(), so that the same text makes the same tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "star/tokenizer.h"

namespace star::synthesis {

// The words of texts, and how often each occurs.
class WordCounts {
 public:
  explicit WordCounts(Words words) : words_(words) {}
  void add(std::string_view text);

  Words words() const { return words_; }
  const auto& counts() const { return counts_; }

 private:
  Words words_;
  std::unordered_map<std::string, int64_t, TextHash, std::equal_to<>> counts_;
};

struct LearntBpe {
  TokenizerParts parts;
  int64_t bytes = 0, tokens = 0;  // of all that was counted
};

// A tokenizer of `vocab` tokens: kEndOfText, the 256 bytes in the order of their characters
// (star/byte_level.h), then what is merged. It has fewer where nothing is left to be merged. Error:
// a vocabulary of less than 257.
LearntBpe learn_bpe(const WordCounts& words, int vocab);

}  // namespace star::synthesis
