// What every source of training data offers: batches of token sequences with targets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace star::synthesis {

constexpr int32_t kIgnored = -100;  // a target that is not counted

// `sequences` rows of `length` tokens, row-major. The target at a place is what the model is to say
// after reading the token there; a padded tail has token 0 and ignored targets.
struct Batch {
  int sequences = 0;
  int length = 0;
  std::vector<int32_t> tokens;   // in 0 … V−1
  std::vector<int32_t> targets;  // in 0 … V−1, or kIgnored
  std::vector<int> parts;        // for each sequence, an index into Dataset::parts()
};

// Targets that are counted.
inline int64_t counted_targets(const Batch& batch) {
  return std::count_if(batch.targets.begin(), batch.targets.end(), [](int t) { return t >= 0; });
}

enum class Split { train, validation, test };

// Immutable after construction: any number of threads may draw from it.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int vocab() const = 0;   // V
  virtual int length() const = 0;  // L

  // A line that differs when the data does, to tell on resume that a run goes on with what it
  // began.
  virtual std::string identity() const = 0;

  // The files that it was read from, which nothing must be written over.
  virtual std::vector<std::string> files() const { return {}; }

  // Names of what is reported apart; one name where there is nothing to tell apart.
  virtual std::vector<std::string> parts() const = 0;

  // Throws the Error that drawing from this split would, so that it comes before the work.
  virtual void check(Split) const {}

  // The batch of a training step: it depends on the arguments only.
  virtual Batch train_batch(uint64_t seed, int64_t step, int sequences) const = 0;

  // Of how many bytes of text each token stands for, by its number, so that a loss can be told in
  // bits a byte; empty where that is unknown, or there is no text.
  virtual std::span<const int> token_bytes() const { return {}; }

  // Whether each token is one byte.
  bool tokens_are_bytes() const;

  // Whether it is generated, from a seed, rather than read.
  virtual bool is_generated() const { return false; }

  // Whether the targets, of all places, are to be told after the last token alone: by a model with a
  // decoder.
  virtual bool needs_decoder() const { return false; }

  // A split as sequences that models are judged by, the same for every model: numbers of some that
  // stand for the whole of it and hold about so many tokens, or of all; 0: all.
  virtual std::vector<int64_t> sample(Split split, int64_t tokens) const = 0;

  // The sequences of these numbers.
  virtual Batch evaluation(Split split, std::span<const int64_t> numbers) const = 0;
};

inline bool Dataset::tokens_are_bytes() const {
  const std::span<const int> bytes = token_bytes();
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](int n) { return n == 1; });
}

}  // namespace star::synthesis
