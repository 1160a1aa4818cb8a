// How much of a float32 number a product of matrices reads: all of it; the 11 bits of significand of
// TF32; or the 8 of bfloat16. All have the exponents of float32, and what is summed and stored stays
// float32.
#pragma once

#include <bit>
#include <cstdint>

namespace star {

enum class Math { fp32, tf32, bf16 };

// The bits of a float32 that are not read.
constexpr int dropped_bits(Math math) {
  return math == Math::bf16 ? 16 : math == Math::tf32 ? 13 : 0;
}

// The nearest number without these bits, of two the even one; NaN stays NaN. `dropped` is above 0.
inline float rounded(float x, int dropped) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), even = bits >> dropped & 1;
  const uint32_t nearest = (bits + (uint32_t(1) << (dropped - 1)) - 1 + even) >> dropped << dropped;
  return x == x ? std::bit_cast<float>(nearest) : x;
}

}  // namespace star
