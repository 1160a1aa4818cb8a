// Where the rows of softmax attention lie, and who sees whom.
#pragma once

#include "cuda/backend.h"

namespace star::cuda {

// One head of one sequence, and a tile of its queries or of its keys.
template <class Args>
struct Head {
  // `tile` counts [batch, heads, group, tiles of `rows` queries].
  __device__ static Head of_queries(const Args& args, int64_t tile, int64_t rows) {
    int64_t tiles = blocks_of(args.visibility.queries, rows), rest = tile / tiles;
    return {args, rest / args.group / args.heads, rest / args.group % args.heads, rest % args.group,
            tile % tiles * rows};
  }
  // `tile` counts [batch, heads, tiles of `rows` keys].
  __device__ static Head of_keys(const Args& args, int64_t tile, int64_t rows) {
    int64_t tiles = blocks_of(args.visibility.keys, rows), rest = tile / tiles;
    return {args, rest / args.heads, rest % args.heads, 0, tile % tiles * rows};
  }

  // The number of query i, or of key j, among all; −1 beyond the last.
  __device__ int64_t query(int64_t i, int64_t of_group) const {
    if (i >= args.visibility.queries) return -1;
    return ((batch * args.visibility.queries + i) * args.heads + head) * args.group + of_group;
  }
  __device__ int64_t key(int64_t j) const {
    return j < args.visibility.keys ? (batch * args.visibility.keys + j) * args.heads + head : -1;
  }
  // The number of query i in [batch, heads, group, queries].
  __device__ int64_t row(int64_t i, int64_t of_group) const {
    return ((batch * args.heads + head) * args.group + of_group) * args.visibility.queries + i;
  }
  __device__ bool sees(int64_t i, int64_t j) const {
    const Visibility& v = args.visibility;
    return i < v.queries && j >= v.first(i) && j < v.last(i);
  }

  const Args& args;
  int64_t batch, head, group, begin;
};

// Who sees whom of `rows` queries from i on and `columns` keys from j on, counted from there.
struct PairMask {
  __device__ PairMask(const Visibility& v, int64_t i, int rows, int64_t j, int columns)
      : queries(near(v.queries - i)), keys(near(v.keys - j)), ahead(near(v.offset + i - j)) {
    if (v.window > 0) behind = near(v.offset + i - j - v.window);
    all = sees(0, columns - 1) && sees(rows - 1, 0);
    none = queries <= 0 || keys <= 0 || ahead + rows <= 0 || behind >= columns - 1;
  }
  __device__ bool sees(int query, int key) const {
    return all || (query < queries && key < keys && key <= ahead + query && key > behind + query);
  }

  bool none;  // of them sees any

 private:
  static constexpr int kFar = 1 << 24;  // beyond any tile
  __device__ static int near(int64_t n) { return int(n < -kFar ? -kFar : n > kFar ? kFar : n); }

  int queries, keys, ahead, behind = -kFar;
  bool all = false;
};

// The keys that some of `rows` queries from i on see: from here, rounded down to a tile of kKeys, to
// there.
template <int64_t kKeys>
__device__ int64_t first_key(const Visibility& v, int64_t i) {
  return v.first(i) / kKeys * kKeys;
}
__device__ inline int64_t last_key(const Visibility& v, int64_t i, int64_t rows) {
  return v.last(i + rows < v.queries ? i + rows - 1 : v.queries - 1);
}

// The queries that see some of `rows` keys from j on: first(i) ≤ j < last(i), turned around.
__device__ inline int64_t first_query(const Visibility& v, int64_t j) {
  return j > v.offset ? j - v.offset : 0;
}
__device__ inline int64_t last_query(const Visibility& v, int64_t j, int64_t rows) {
  const int64_t latest = j + rows - 1 - v.offset + v.window;
  return v.window > 0 && latest < v.queries ? latest : v.queries;
}

// D of each query, in the order of y: dy · y. A warp has a row.
template <class T>
__global__ void attention_row_kernel(AttentionGrad<T> args, int64_t rows, T* dots) {
  const int64_t row = int64_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (row >= rows) return;
  auto y = global(args.y) + row * args.f, dy = global(args.dy) + row * args.f;
  T sum = 0;
  for (int64_t c = threadIdx.x % 32; c < args.f; c += 32) sum += dy[c] * y[c];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) global(dots)[row] = sum;
}
template <class T>
Tensor attention_dots(Exec& exec, const AttentionGrad<T>& args) {
  constexpr int64_t kRows = kThreads / 32;
  const int64_t rows = args.batch * args.heads * args.group * args.visibility.queries;
  Tensor dots = scratch<T>(exec, Shape{rows});
  if (rows > 0)
    launch(attention_row_kernel<T>, blocks_of(rows, kRows), kThreads, 0, stream(), args, rows,
           dots.data<T>());
  return dots;
}

// By tensor cores, where rows are short enough: whether they are.
bool attention_by_mma(Exec& exec, const Attention<float>& args);
bool attention_grad_by_mma(Exec& exec, const AttentionGrad<float>& args);

}  // namespace star::cuda
