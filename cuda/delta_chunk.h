// What kernels of the delta rule have in common: a block walks over the chunks of a head with
// kColumns columns of the state, which do not know of the others (cuda/delta.cu).
#pragma once

#include "cuda/state_chunk.h"

namespace star::cuda {

// Solves (I + N) x = x, or (I + Nᵀ) x = x, for the chunk's rows of x, by substitution: a thread for
// each column.
template <class T, class Args, class Array>
__device__ void substitute(const PairWeights<T>& N, const Chunk<Args>& chunk, const Array& x,
                           int64_t column, bool transposed) {
  __syncthreads();
  int64_t c = column + threadIdx.x, f = chunk.args.f, last = chunk.count - 1;
  if (int64_t(threadIdx.x) < kColumns && c < f)
    for (int64_t step = 0; step <= last; ++step) {
      int64_t i = transposed ? last - step : step;
      T sum = x[chunk.token(i) * f + c];
      for (int64_t j = transposed ? i + 1 : 0; j < (transposed ? last + 1 : i); ++j)
        sum -= (transposed ? T(N(j, i)) : T(N(i, j))) * x[chunk.token(j) * f + c];
      x[chunk.token(i) * f + c] = sum;
    }
  __syncthreads();
}

// This block's columns of a matrix become f(place in the matrix).
template <class T, class Args, class F>
__device__ void start_matrix(const Args& args, int64_t matrix, int64_t column, T* matrices,
                             const F& f) {
  for_each_of_row(0, args.e * kColumns, [&](int64_t place) {
    int64_t c = column + place % kColumns, at = place / kColumns * args.f + c;
    if (c < args.f) global(matrices)[matrix * args.e * args.f + at] = f(at);
  });
}

// The matrix of the chunk that is walked to next, from this one's: M with each row n times kept(n),
// + Σ_i c_i k_i ⊗ x_i.
template <class T, class Args, class Kept, class Keys, class Values, class Coefficient>
__device__ void next_matrix(Tile<T>& tile, const PairWeights<T>& weights, const Chunk<Args>& chunk,
                            const Kept& kept, const Keys& k, const Values& x, int64_t next,
                            int64_t column, T* matrices, const Coefficient& coefficient) {
  auto M = global(matrices);
  int64_t e = chunk.args.e, f = chunk.args.f;
  int64_t from = (chunk.head * chunk.chunks + chunk.index) * e * f;
  int64_t to = (chunk.head * chunk.chunks + next) * e * f;
  for (int64_t n = 0; n < e; n += kTile) {
    TileSums<T> sums;
    add_outer(tile, sums, weights, chunk, k, x, n, column, coefficient);
    for_each_sum(sums, column, f, [&](int64_t r, int64_t c, T sum) {
      int64_t at = (n + tile_row(r)) * f + c;
      if (n + tile_row(r) < e) M[to + at] = kept(n + tile_row(r)) * M[from + at] + sum;
    });
  }
}

}  // namespace star::cuda
