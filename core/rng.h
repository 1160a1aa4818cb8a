// A counter-based random generator: Philox 4x32 with ten rounds (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011).
//
// A generator is keyed by (seed, purpose, index), so that what it yields depends on nothing else:
// not on the order of evaluation, not on the number of threads or workers.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace star {

// The bijection at the heart of the generator: 128 bits of counter and 64 bits of key to 128 bits.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

class Rng {
 public:
  Rng(uint64_t seed, std::string_view purpose, uint64_t index = 0);

  uint32_t bits();   // 32 uniform bits
  double uniform();  // in [0, 1), 53 random bits
  double uniform(double lo, double hi) { return lo + (hi - lo) * uniform(); }
  double normal();             // N(0, 1), by Box and Muller
  uint32_t below(uint32_t n);  // uniform in 0 … n−1 without bias; n > 0
  bool chance(double p) { return uniform() < p; }

  // Fisher–Yates.
  template <class T>
  void shuffle(T& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(uint32_t(i))]);
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

// A stable 64-bit hash of text (FNV-1a), for keying generators by a name.
uint64_t hash_text(std::string_view text);

}  // namespace star
