// SIMD registers over xsimd, with loads and stores that end inside a register: one loop serves a
// row and its tail, and every element goes through the same instructions.
#pragma once

#include <limits>
#include <xsimd/xsimd.hpp>

#include "cpu/backend.h"

namespace star::cpu::STAR_TARGET {

template <class T>
using Vec = xsimd::batch<T>;

template <class T>
inline constexpr int64_t kLanes = int64_t(xsimd::batch<T>::size);

// The elements that one task of an elementwise loop takes: large enough to be worth a hand-over,
// small enough to balance two threads.
inline constexpr int64_t kBlock = 16384;

// The first n lanes of a register from or to memory, 0 ≤ n < lanes; the others are `rest`. Where the
// processor has masks, what is masked out is not touched.
#if defined(__AVX512F__)
inline __mmask16 first_lanes(int64_t n) { return __mmask16((1u << n) - 1); }
inline Vec<float> load_first(const float* p, int64_t n, Vec<float> rest) {
  return _mm512_mask_loadu_ps(rest, first_lanes(n), p);
}
inline Vec<double> load_first(const double* p, int64_t n, Vec<double> rest) {
  return _mm512_mask_loadu_pd(rest, __mmask8(first_lanes(n)), p);
}
inline void store_first(float* p, int64_t n, Vec<float> v) {
  _mm512_mask_storeu_ps(p, first_lanes(n), v);
}
inline void store_first(double* p, int64_t n, Vec<double> v) {
  _mm512_mask_storeu_pd(p, __mmask8(first_lanes(n)), v);
}
#elif defined(__AVX2__)
inline __m256i first_lanes(const float*, int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_lanes(const double*, int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
inline Vec<float> load_first(const float* p, int64_t n, Vec<float> rest) {
  const __m256i lanes = first_lanes(p, n);
  return _mm256_blendv_ps(rest, _mm256_maskload_ps(p, lanes), _mm256_castsi256_ps(lanes));
}
inline Vec<double> load_first(const double* p, int64_t n, Vec<double> rest) {
  const __m256i lanes = first_lanes(p, n);
  return _mm256_blendv_pd(rest, _mm256_maskload_pd(p, lanes), _mm256_castsi256_pd(lanes));
}
inline void store_first(float* p, int64_t n, Vec<float> v) {
  _mm256_maskstore_ps(p, first_lanes(p, n), v);
}
inline void store_first(double* p, int64_t n, Vec<double> v) {
  _mm256_maskstore_pd(p, first_lanes(p, n), v);
}
#else
template <class T>
inline Vec<T> load_first(const T* p, int64_t n, Vec<T> rest) {
  alignas(64) T buffer[kLanes<T>];
  rest.store_aligned(buffer);
  for (int64_t i = 0; i < n; ++i) buffer[i] = p[i];
  return Vec<T>::load_aligned(buffer);
}
template <class T>
inline void store_first(T* p, int64_t n, Vec<T> v) {
  alignas(64) T buffer[kLanes<T>];
  v.store_aligned(buffer);
  for (int64_t i = 0; i < n; ++i) p[i] = buffer[i];
}
#endif

// The first `left` lanes from memory (all of them if left ≥ lanes), the others `fill`.
template <class T>
inline Vec<T> load(const T* p, int64_t left, T fill = T(0)) {
  if (left >= kLanes<T>) return Vec<T>::load_unaligned(p);
  return load_first(p, left > 0 ? left : 0, Vec<T>(fill));
}

template <class T>
inline void store(T* p, Vec<T> v, int64_t left) {
  if (left >= kLanes<T>) return v.store_unaligned(p);
  store_first(p, left > 0 ? left : 0, v);
}

template <class T>
inline T horizontal_max(Vec<T> v) {
  alignas(64) T buffer[kLanes<T>];
  v.store_aligned(buffer);
  T best = buffer[0];
  for (int64_t i = 1; i < kLanes<T>; ++i) best = buffer[i] > best ? buffer[i] : best;
  return best;
}

// Runs f(begin, end) over 0 … n−1 in blocks.
template <class F>
inline void for_blocks(Exec& exec, int64_t n, int64_t block, const F& f) {
  exec.pool().run(blocks_of(n, block), [&](int64_t i) {
    int64_t begin = i * block, end = begin + block < n ? begin + block : n;
    f(begin, end);
  });
}

// Rows of n elements a task, so that a task has about kBlock elements.
inline int64_t rows_a_block(int64_t n) { return n >= kBlock ? 1 : kBlock / (n > 0 ? n : 1); }

}  // namespace star::cpu::STAR_TARGET
