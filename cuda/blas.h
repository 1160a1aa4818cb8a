// Batched products of matrices, by cuBLAS.
#pragma once

#include <cstdint>

#include "core/math.h"
#include "cuda/kernel.h"

namespace star::cuda {

// A matrix stored by columns `leading` apart, its transpose if so said; those of a batch are `step`
// apart.
template <class T>
struct BlasFactor {
  const T* data;
  bool transposed;
  int64_t leading, step;
};

// C = alpha · A B + beta · C, `count` times; C is m × n and stored by columns c_leading apart.
template <class T>
struct BlasProduct {
  int64_t m, n, k;
  T alpha, beta;
  int64_t count;
  BlasFactor<T> a, b;
  T* c;
  int64_t c_leading, c_step;
};

// Of float32, `math` is read; tensor cores multiply what has no more than 11 bits. Throws `Error`
// where cuBLAS is not to be had, or a size is beyond it.
template <class T>
void multiply(const BlasProduct<T>& product, Math math);

}  // namespace star::cuda
