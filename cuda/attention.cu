// Softmax attention whose scores are never stored whole, after Dao et al. (FlashAttention, 2022). A
// block takes a tile of queries through the keys that they see, a tile at a time, and computes
// kColumns columns of the result. The backward pass scores again, once with a tile of queries at
// rest and once with a tile of keys.
#include <cmath>

#include "cuda/tile.h"

namespace star::cuda {
namespace {

// One head of one sequence, and a tile of its queries or of its keys: where their rows are.
template <class Args>
struct Head {
  // `tile` counts [batch, heads, group, tiles of queries].
  __device__ static Head of_queries(const Args& args, int64_t tile) {
    int64_t tiles = blocks_of(args.visibility.queries, kTile), rest = tile / tiles;
    return {args, rest / args.group / args.heads, rest / args.group % args.heads, rest % args.group,
            tile % tiles * kTile};
  }
  // `tile` counts [batch, heads, tiles of keys].
  __device__ static Head of_keys(const Args& args, int64_t tile) {
    int64_t tiles = blocks_of(args.visibility.keys, kTile), rest = tile / tiles;
    return {args, rest / args.heads, rest % args.heads, 0, tile % tiles * kTile};
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

  // Rows of `width` numbers of the tile of queries from i on, or of keys from j on.
  template <class Array>
  __device__ auto queries(const Array& data, int64_t i, int64_t of_group, int64_t width) const {
    return rows_of(data, [=, this](int64_t r) {
      int64_t at = query(i + r, of_group);
      return at < 0 ? at : at * width;
    });
  }
  template <class Array>
  __device__ auto keys(const Array& data, int64_t j, int64_t width) const {
    return rows_of(data, [=, this](int64_t r) {
      int64_t at = key(j + r);
      return at < 0 ? at : at * width;
    });
  }

  const Args& args;
  int64_t batch, head, group, begin;
};

// The tiles of keys that the queries from i on see, as multiples of kTile.
__device__ inline int64_t first_key(const Visibility& v, int64_t i) {
  return v.first(i) / kTile * kTile;
}
__device__ inline int64_t last_key(const Visibility& v, int64_t i) {
  return v.last(i + kTile < v.queries ? i + kTile - 1 : v.queries - 1);
}

// With m the greatest score of a query so far and l = Σ exp(s − m), a tile with a greater one
// scales what there is by exp(m − m′).
template <class T>
__global__ void attention_kernel(Attention<T> args) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  auto here = Head<Attention<T>>::of_queries(args, blockIdx.x);
  int64_t column = blockIdx.y * kColumns;
  auto q = here.queries(global(args.q), here.begin, here.group, args.e);
  T peak[kOwnRows], total[kOwnRows];
  for (int64_t i = 0; i < kOwnRows; ++i) peak[i] = -INFINITY, total[i] = 0;
  TileSums<T> sums;
  int64_t end = last_key(args.visibility, here.begin);
  for (int64_t j = first_key(args.visibility, here.begin); j < end; j += kTile) {
    T scores[kOwnRows] = {};
    tile.multiply(scores, q, here.keys(global(args.k), j, args.e), args.e);
    for (int64_t i = 0; i < kOwnRows; ++i) {
      bool seen = here.sees(here.begin + tile_row(i), j + tile_lane());
      T score = seen ? args.scale * scores[i] : T(-INFINITY), before = peak[i];
      peak[i] =
          warp_reduce(score > before ? score : before, [](T a, T b) { return a > b ? a : b; });
      T weight = seen ? T(std::exp(score - peak[i])) : T(0);
      T correction = before == T(-INFINITY) ? T(0) : T(std::exp(before - peak[i]));
      total[i] = total[i] * correction + warp_reduce(weight, [](T a, T b) { return a + b; });
      weights(tile_row(i), tile_lane()) = weight;
      for (int64_t h = 0; h < kOwnColumns; ++h) sums.at[i][h] *= correction;
    }
    tile.add(sums, weights, here.keys(global(args.v), j, args.f), column, args.f);
  }
  auto y = global(args.y);
  for_each_sum(sums, column, args.f, [&](int64_t i, int64_t c, T sum) {
    int64_t query = here.query(here.begin + tile_row(i), here.group);
    if (query >= 0) y[query * args.f + c] = sum / total[i];
  });
  if (!args.log_sum || column > 0 || tile_lane() > 0) return;
  for (int64_t i = 0; i < kOwnRows; ++i) {
    int64_t query = here.begin + tile_row(i);
    if (query < args.visibility.queries)
      global(args.log_sum)[here.row(query, here.group)] = std::log(total[i]) + peak[i];
  }
}

// D of each query, a row of f numbers: dy · y. In the order of y.
template <class T>
__global__ void attention_row_kernel(AttentionGrad<T> args, int64_t rows, T* dots) {
  auto y = global(args.y), dy = global(args.dy);
  auto dot = global(dots);
  for_each_element(rows, [&](int64_t row) {
    T sum = 0;
    for (int64_t c = row * args.f; c < (row + 1) * args.f; ++c) sum += dy[c] * y[c];
    dot[row] = sum;
  });
}

// p_ij and ds_ij of a tile of pairs, queries from i on by keys from j on, into weights and slopes.
template <class T>
__device__ void slopes_of(Tile<T>& tile, const Head<AttentionGrad<T>>& here, int64_t i, int64_t j,
                          int64_t group, const T* dots, const PairWeights<T>& weights,
                          const PairWeights<T>& slopes) {
  const AttentionGrad<T>& args = here.args;
  T scores[kOwnRows] = {}, products[kOwnRows] = {};
  tile.multiply(scores, here.queries(global(args.q), i, group, args.e),
                here.keys(global(args.k), j, args.e), args.e);
  tile.multiply(products, here.queries(global(args.dy), i, group, args.f),
                here.keys(global(args.v), j, args.f), args.f);
  for (int64_t r = 0; r < kOwnRows; ++r) {
    int64_t query = i + tile_row(r);
    T p = 0, ds = 0;
    if (here.sees(query, j + tile_lane())) {
      p = std::exp(args.scale * scores[r] - global(args.log_sum)[here.row(query, group)]);
      ds = args.scale * p * (products[r] - global(dots)[here.query(query, group)]);
    }
    weights(tile_row(r), tile_lane()) = p;
    slopes(tile_row(r), tile_lane()) = ds;
  }
}

template <class T>
__global__ void attention_query_grad_kernel(AttentionGrad<T> args, const T* dots) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory), slopes(memory);
  auto here = Head<AttentionGrad<T>>::of_queries(args, blockIdx.x);
  int64_t column = blockIdx.y * kColumns, end = last_key(args.visibility, here.begin);
  TileSums<T> sums;
  for (int64_t j = first_key(args.visibility, here.begin); j < end; j += kTile) {
    slopes_of(tile, here, here.begin, j, here.group, dots, weights, slopes);
    tile.add(sums, slopes, here.keys(global(args.k), j, args.e), column, args.e);
  }
  auto dq = global(args.dq);
  for_each_sum(sums, column, args.e, [&](int64_t i, int64_t c, T sum) {
    int64_t query = here.query(here.begin + tile_row(i), here.group);
    if (query >= 0) dq[query * args.e + c] = sum;
  });
}

template <class T>
__global__ void attention_key_grad_kernel(AttentionGrad<T> args, const T* dots) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory), slopes(memory);
  auto here = Head<AttentionGrad<T>>::of_keys(args, blockIdx.x);
  const Visibility& seen = args.visibility;
  int64_t column = blockIdx.y * kColumns;
  // first(i) ≤ j < last(i), turned around.
  int64_t begin = here.begin > seen.offset ? here.begin - seen.offset : 0, end = seen.queries;
  int64_t latest = here.begin + kTile - 1 - seen.offset + seen.window;
  if (seen.window > 0 && latest < end) end = latest;
  TileSums<T> key_sums, value_sums;
  for (int64_t group = 0; group < args.group; ++group)
    for (int64_t i = begin / kTile * kTile; i < end; i += kTile) {
      slopes_of(tile, here, i, here.begin, group, dots, weights, slopes);
      auto turned = [](const PairWeights<T>& of) {
        return [&of](int64_t key, int64_t query) -> T { return of(query, key); };
      };
      tile.add(key_sums, turned(slopes), here.queries(global(args.q), i, group, args.e), column,
               args.e);
      tile.add(value_sums, turned(weights), here.queries(global(args.dy), i, group, args.f), column,
               args.f);
    }
  auto dk = global(args.dk), dv = global(args.dv);
  for_each_sum(key_sums, column, args.e, [&](int64_t i, int64_t c, T sum) {
    int64_t key = here.key(here.begin + tile_row(i));
    if (key >= 0) dk[key * args.e + c] = sum;
  });
  for_each_sum(value_sums, column, args.f, [&](int64_t i, int64_t c, T sum) {
    int64_t key = here.key(here.begin + tile_row(i));
    if (key >= 0) dv[key * args.f + c] = sum;
  });
}

}  // namespace

template <class T>
void attention(Exec&, const Attention<T>& args) {
  int64_t tiles = args.batch * args.heads * args.group * tiles_of(args.visibility.queries);
  if (tiles > 0)
    launch(attention_kernel<T>, {tiles, column_blocks(args.f)}, kTileThreads, Tile<T>::bytes(1),
           stream(), args);
}

template <class T>
void attention_grad(Exec& exec, const AttentionGrad<T>& args) {
  int64_t heads = args.batch * args.heads, rows = heads * args.group * args.visibility.queries;
  int64_t query_tiles = heads * args.group * tiles_of(args.visibility.queries);
  int64_t key_tiles = heads * tiles_of(args.visibility.keys);
  Tensor dots = scratch<T>(exec, Shape{rows});
  launch_elements(attention_row_kernel<T>, rows, args, rows, dots.data<T>());
  if (query_tiles > 0)
    launch(attention_query_grad_kernel<T>, {query_tiles, column_blocks(args.e)}, kTileThreads,
           Tile<T>::bytes(2), stream(), args, dots.data<T>());
  if (key_tiles > 0)
    launch(attention_key_grad_kernel<T>, {key_tiles, column_blocks(std::max(args.e, args.f))},
           kTileThreads, Tile<T>::bytes(2), stream(), args, dots.data<T>());
}

STAR_INSTANTIATE(attention, Attention)
STAR_INSTANTIATE(attention_grad, AttentionGrad)

}  // namespace star::cuda
