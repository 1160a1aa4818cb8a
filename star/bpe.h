// Byte-pair encoding (Sennrich et al., "Neural machine translation of rare words with subword
// units", ACL 2016; on bytes: Radford et al., 2019). A word begins as its bytes; then, again and
// again, of all pairs of neighbours that have a merge that of the least rank becomes one token, the
// leftmost first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace star::synthesis {

struct Merge {
  int32_t left, right, result;  // tokens
};

// Immutable: any number of threads may ask.
class Bpe {
 public:
  // `bytes` are the tokens of the 256 bytes, the rank of a merge is its place. `whole`: words that
  // are tokens themselves, which need no merges.
  Bpe(std::vector<int32_t> bytes, const std::vector<Merge>& merges,
      std::unordered_map<std::string, int32_t> whole);

  // Appends the tokens of a word.
  void encode(std::string_view word, std::vector<int32_t>& tokens) const;

 private:
  struct Ranked {
    int32_t rank, result;
  };
  const Ranked* merge_of(int32_t left, int32_t right) const;

  std::vector<int32_t> bytes_;
  std::unordered_map<uint64_t, Ranked> merges_;
  std::unordered_map<std::string, int32_t> whole_;
};

// For maps from words that are asked by views of text.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// A pair of tokens as one number, in the order of pairs.
inline uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

}  // namespace star::synthesis
