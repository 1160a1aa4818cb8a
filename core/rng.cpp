#include "core/rng.h"

#include <cmath>
#include <numbers>

namespace star {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(0xD2511F53u) * c[0];
    uint64_t p1 = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(p1 >> 32) ^ c[1] ^ k[0], uint32_t(p1), uint32_t(p0 >> 32) ^ c[3] ^ k[1],
         uint32_t(p0)};
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c;
}

uint64_t hash_text(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return h;
}

// The seed is the key; purpose and index fill the upper half of the counter after one pass through
// the bijection, so that neighbouring indices share nothing.
Rng::Rng(uint64_t seed, std::string_view purpose, uint64_t index)
    : key_{uint32_t(seed), uint32_t(seed >> 32)}, counter_{} {
  uint64_t h = hash_text(purpose);
  auto mixed = philox({uint32_t(h), uint32_t(h >> 32), uint32_t(index), uint32_t(index >> 32)},
                      {0x53544152u, 0});
  counter_[2] = mixed[0] ^ mixed[2];
  counter_[3] = mixed[1];
  key_[0] ^= mixed[3];
}

uint32_t Rng::bits() {
  if (used_ == 4) {
    block_ = philox(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[used_++];
}

double Rng::uniform() {
  uint64_t hi = bits() >> 5, lo = bits() >> 6;
  return double((hi << 26) | lo) * 0x1.0p-53;
}

double Rng::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double r = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = r * std::sin(angle);
  has_spare_ = true;
  return r * std::cos(angle);
}

uint32_t Rng::below(uint32_t n) {
  // Lemire's multiplication method, rejecting the short tail.
  uint64_t m = uint64_t(bits()) * n;
  if (uint32_t(m) < n) {
    uint32_t tail = uint32_t(-n) % n;
    while (uint32_t(m) < tail) m = uint64_t(bits()) * n;
  }
  return uint32_t(m >> 32);
}

}  // namespace star
