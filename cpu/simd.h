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

// The first `left` lanes from memory (all of them if left ≥ lanes), the others `fill`.
template <class T>
inline Vec<T> load(const T* p, int64_t left, T fill = T(0)) {
  if (left >= kLanes<T>) return Vec<T>::load_unaligned(p);
  alignas(64) T buffer[kLanes<T>];
  for (int64_t i = 0; i < kLanes<T>; ++i) buffer[i] = i < left ? p[i] : fill;
  return Vec<T>::load_aligned(buffer);
}

template <class T>
inline void store(T* p, Vec<T> v, int64_t left) {
  if (left >= kLanes<T>) return v.store_unaligned(p);
  alignas(64) T buffer[kLanes<T>];
  v.store_aligned(buffer);
  for (int64_t i = 0; i < left; ++i) p[i] = buffer[i];
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
