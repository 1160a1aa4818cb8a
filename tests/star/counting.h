// A data set and a model on which a training takes moments.
#pragma once

#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "cpu/cpu.h"
#include "star/compiler.h"
#include "star/genome.h"
#include "star/trainer.h"

namespace star::synthesis {

// Counts up from a random start: the target is the token's successor. Each second sequence is of
// part 1, where targets at odd places do not count.
class Counting : public Dataset {
 public:
  int vocab() const override { return 6; }
  int length() const override { return 8; }
  std::string identity() const override { return "counting"; }
  std::vector<std::string> parts() const override { return {"all", "even"}; }
  Batch train_batch(uint64_t seed, int64_t step, int sequences) const override {
    Rng rng(seed, "test.counting", uint64_t(step));
    Batch b;
    b.sequences = sequences;
    b.length = length();
    for (int s = 0; s < sequences; ++s) {
      int32_t start = int32_t(rng.below(6));
      b.parts.push_back(s % 2);
      for (int i = 0; i < length(); ++i) {
        b.tokens.push_back((start + i) % 6);
        b.targets.push_back(s % 2 && i % 2 ? kIgnored : (start + i + 1) % 6);
      }
    }
    return b;
  }
  std::vector<int64_t> sample(Split, int64_t tokens) const override {
    std::vector<int64_t> numbers(tokens ? size_t(tokens / length()) : 19);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
  }
  // Sequence i is the first or second of a training batch of its own.
  Batch evaluation(Split split, std::span<const int64_t> numbers) const override {
    Batch all{0, length(), {}, {}, {}};
    for (int64_t i : numbers) {
      const Batch two = train_batch(100 + uint64_t(split), i, 2);
      const int64_t from = i % 2 * length(), to = from + length();
      all.tokens.insert(all.tokens.end(), two.tokens.begin() + from, two.tokens.begin() + to);
      all.targets.insert(all.targets.end(), two.targets.begin() + from, two.targets.begin() + to);
      all.parts.push_back(int(i % 2));
      ++all.sequences;
    }
    return all;
  }
};

// Two tokens more than the data has.
inline const Sizes kSizes{16, 2, 8, 8, 4};
inline constexpr size_t kVocab = 8;
inline constexpr const char* kGenome = "11111-91111-51111-71111";

inline Backbone fresh(Exec& exec, const char* genome = kGenome, DType dtype = DType::f32) {
  const Pool pool = extended_pool();
  return Backbone(&exec, compile(parse(genome, pool), pool), kSizes, dtype, 5);
}

inline TrainOptions options_of(int64_t steps) {
  TrainOptions o;
  o.steps = steps;
  o.batch = 8;
  o.seed = 3;
  return o;
}

}  // namespace star::synthesis
