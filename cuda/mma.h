// Products on tensor cores: a warp multiplies 16 rows by 8 columns, 8 words of what is summed over at
// a time, after PTX's mma.sync of m16n8k8 (TF32) and m16n8k16 (bfloat16). A word has 32 bits: one
// number, or two neighbours of bfloat16. Counted in words both spread their factors over the lanes
// alike, with g = lane / 4 and t = lane % 4:
//   A  (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)      row, word
//   B  (t, g), (t + 4, g)                                  word, column
//   C  (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)  row, column
// float32 takes three products of TF32: a number is what TF32 keeps of it and what TF32 keeps of the
// rest, and only the two rests, 2⁻²² of the product, do not meet. After Ootomo & Yokota ("Recovering
// single precision accuracy from Tensor Cores", 2022).
#pragma once

#include <cmath>

#include "core/math.h"
#include "cuda/kernel.h"

namespace star::cuda {

inline constexpr int kMmaRows = 16, kMmaColumns = 8, kMmaWords = 8;

template <Math math>
inline constexpr int kNumbersInWord = math == Math::bf16 ? 2 : 1;
// What is summed over in one product.
template <Math math>
inline constexpr int kMmaInner = kMmaWords* kNumbersInWord<math>;

__device__ inline int mma_group() { return int(threadIdx.x % 32 / 4); }
__device__ inline int mma_place() { return int(threadIdx.x % 4); }

#if defined(__CUDACC__)

__device__ inline uint32_t bits_of(float x) { return __float_as_uint(x); }
__device__ inline float number_of(uint32_t bits) { return __uint_as_float(bits); }
__device__ inline uint32_t tf32_of(float x) {
  uint32_t word;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(x));
  return word;
}
__device__ inline uint32_t bf16_pair_of(float first, float second) {
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  return word;
}
// 2^x, to two units in the last place; what is less than the least normal number is 0.
__device__ inline float power_of_2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// c += a b.
template <Math math>
__device__ void warp_product(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  if constexpr (math == Math::bf16)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else

inline uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }
inline float number_of(uint32_t bits) { return std::bit_cast<float>(bits); }
inline uint32_t tf32_of(float x) { return bits_of(rounded(x, dropped_bits(Math::tf32))); }
inline uint32_t bf16_pair_of(float first, float second) {
  constexpr int kDropped = dropped_bits(Math::bf16);
  return bits_of(rounded(first, kDropped)) >> 16 |
         (bits_of(rounded(second, kDropped)) & 0xffff0000u);
}
inline float power_of_2(float x) { return std::exp2(x); }
// Exact products, summed up in double precision and added once.
template <Math math>
void warp_product(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                  std::source_location where = std::source_location::current()) {
  emulator::Block& block = *emulator::Block::current();
  block.exchange({a[0], a[1], a[2], a[3], b[0], b[1]}, where);
  auto product = [](uint32_t x, uint32_t y) -> double {
    if constexpr (math == Math::bf16)
      return double(number_of(x << 16)) * double(number_of(y << 16)) +
             double(number_of(x & 0xffff0000u)) * double(number_of(y & 0xffff0000u));
    else  // the bits that TF32 lacks are not read
      return double(number_of(x & 0xffffe000u)) * double(number_of(y & 0xffffe000u));
  };
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t row = uint32_t(mma_group()), column = 2 * uint32_t(mma_place()) + i % 2;
    double sum = 0;
    for (uint32_t word = 0; word < 8; ++word)
      sum += product(block.operands(4 * row + word % 4)[i / 2 + 2 * (word / 4)],
                     block.operands(4 * column + word % 4)[4 + word / 4]);
    c[i] += float(sum);
  }
}

#endif

// A word of these numbers; of TF32 and float32 the first alone.
template <Math math>
__device__ uint32_t word_of(float first, [[maybe_unused]] float second) {
  if constexpr (math == Math::bf16) return bf16_pair_of(first, second);
  if constexpr (math == Math::tf32) return tf32_of(first);
  if constexpr (math == Math::fp32) return bits_of(first);
}

// A lane's part of a factor: its words, of float32 the two terms of each.
template <Math math, int kWords>
struct Fragment {
  static constexpr int kTerms = math == Math::fp32 ? 2 : 1;
  uint32_t terms[kTerms][kWords];

  __device__ void set(int i, uint32_t word) {
    if constexpr (math == Math::fp32) {
      terms[0][i] = tf32_of(number_of(word));
      terms[1][i] = tf32_of(number_of(word) - number_of(terms[0][i]));
    } else {
      terms[0][i] = word;
    }
  }
};
template <Math math>
using Left = Fragment<math, 4>;
template <Math math>
using Right = Fragment<math, 2>;

struct Sums {
  float at[4] = {};
};

template <Math math>
__device__ void multiply_add(Sums& sums, const Left<math>& a, const Right<math>& b) {
  if constexpr (math == Math::fp32) {
    // Tensor cores cut off what they add up: long sums are rounded outside of them.
    Sums step;
    warp_product<math>(step.at, a.terms[1], b.terms[0]);
    warp_product<math>(step.at, a.terms[0], b.terms[1]);
    warp_product<math>(step.at, a.terms[0], b.terms[0]);
    for (int i = 0; i < 4; ++i) sums.at[i] += step.at[i];
  } else {
    warp_product<math>(sums.at, a.terms[0], b.terms[0]);
  }
}

// What was a product's result, of bfloat16 two neighbours', as the left factor of the next: its columns are what is summed over
// there, 2t and 2t + 1 of each lane as words t and t + 4 (Panel::across puts the other factor's in
// the same order), or as one word of bfloat16.
template <Math math>
__device__ Left<math> left_of(const Sums* results) {
  Left<math> left;
  for (int i = 0; i < 4; ++i) {
    if constexpr (math == Math::bf16) {
      const float* pair = results[i / 2].at + 2 * (i % 2);
      left.set(i, word_of<math>(pair[0], pair[1]));
    } else {
      left.set(i, word_of<math>(results[0].at[2 * (i % 2) + i / 2], 0));
    }
  }
  return left;
}

}  // namespace star::cuda
