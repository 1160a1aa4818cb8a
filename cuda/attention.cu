// Softmax attention whose scores are never stored whole, after Dao et al. (FlashAttention, 2022). A
// block takes a tile of queries through the keys that they see, a tile at a time, and computes
// kColumns columns of the result. The backward pass scores again, once with a tile of queries at
// rest and once with a tile of keys.
#include <cmath>

#include "cuda/attention.h"
#include "cuda/tile.h"

namespace star::cuda {
namespace {

// Rows of `width` numbers of the tile of queries from i on, or of keys from j on.
template <class Args, class Array>
__device__ auto queries_of(const Head<Args>& here, const Array& data, int64_t i, int64_t of_group,
                           int64_t width) {
  return rows_of(data, [=, &here](int64_t r) {
    int64_t at = here.query(i + r, of_group);
    return at < 0 ? at : at * width;
  });
}
template <class Args, class Array>
__device__ auto keys_of(const Head<Args>& here, const Array& data, int64_t j, int64_t width) {
  return rows_of(data, [=, &here](int64_t r) {
    int64_t at = here.key(j + r);
    return at < 0 ? at : at * width;
  });
}

// With m the greatest score of a query so far and l = Σ exp(s − m), a tile with a greater one
// scales what there is by exp(m − m′).
template <class T>
__global__ void attention_kernel(Attention<T> args) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  auto here = Head<Attention<T>>::of_queries(args, blockIdx.x, kTile);
  int64_t column = blockIdx.y * kColumns;
  auto q = queries_of(here, global(args.q), here.begin, here.group, args.e);
  T peak[kOwnRows], total[kOwnRows];
  for (int64_t i = 0; i < kOwnRows; ++i) peak[i] = -INFINITY, total[i] = 0;
  TileSums<T> sums;
  int64_t end = last_key(args.visibility, here.begin, kTile);
  for (int64_t j = first_key<kTile>(args.visibility, here.begin); j < end; j += kTile) {
    T scores[kOwnRows] = {};
    tile.multiply(scores, q, keys_of(here, global(args.k), j, args.e), args.e);
    for (int64_t i = 0; i < kOwnRows; ++i) {
      bool seen = here.sees(here.begin + tile_row(i), j + tile_lane());
      T score = seen ? args.scale * scores[i] : T(-INFINITY), before = peak[i];
      peak[i] =
          warp_reduce(score > before ? score : before, [](T a, T b) { return a > b ? a : b; });
      T weight = seen ? T(std::exp(score - peak[i])) : T(0);
      T correction = before == T(-INFINITY) ? T(0) : T(std::exp(before - peak[i]));
      total[i] = total[i] * correction + warp_sum(weight);
      weights(tile_row(i), tile_lane()) = weight;
      for (int64_t h = 0; h < kOwnColumns; ++h) sums.at[i][h] *= correction;
    }
    tile.add(sums, weights, keys_of(here, global(args.v), j, args.f), column, args.f);
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

// p_ij and ds_ij of a tile of pairs, queries from i on by keys from j on, into weights and slopes.
template <class T>
__device__ void slopes_of(Tile<T>& tile, const Head<AttentionGrad<T>>& here, int64_t i, int64_t j,
                          int64_t group, const T* dots, const PairWeights<T>& weights,
                          const PairWeights<T>& slopes) {
  const AttentionGrad<T>& args = here.args;
  T scores[kOwnRows] = {}, products[kOwnRows] = {};
  tile.multiply(scores, queries_of(here, global(args.q), i, group, args.e),
                keys_of(here, global(args.k), j, args.e), args.e);
  tile.multiply(products, queries_of(here, global(args.dy), i, group, args.f),
                keys_of(here, global(args.v), j, args.f), args.f);
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
  auto here = Head<AttentionGrad<T>>::of_queries(args, blockIdx.x, kTile);
  int64_t column = blockIdx.y * kColumns, end = last_key(args.visibility, here.begin, kTile);
  TileSums<T> sums;
  for (int64_t j = first_key<kTile>(args.visibility, here.begin); j < end; j += kTile) {
    slopes_of(tile, here, here.begin, j, here.group, dots, weights, slopes);
    tile.add(sums, slopes, keys_of(here, global(args.k), j, args.e), column, args.e);
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
  auto here = Head<AttentionGrad<T>>::of_keys(args, blockIdx.x, kTile);
  const Visibility& seen = args.visibility;
  int64_t column = blockIdx.y * kColumns;
  int64_t begin = first_query(seen, here.begin), end = last_query(seen, here.begin, kTile);
  TileSums<T> key_sums, value_sums;
  for (int64_t group = 0; group < args.group; ++group)
    for (int64_t i = begin / kTile * kTile; i < end; i += kTile) {
      slopes_of(tile, here, i, here.begin, group, dots, weights, slopes);
      auto turned = [](const PairWeights<T>& of) {
        return [&of](int64_t key, int64_t query) -> T { return of(query, key); };
      };
      tile.add(key_sums, turned(slopes), queries_of(here, global(args.q), i, group, args.e), column,
               args.e);
      tile.add(value_sums, turned(weights), queries_of(here, global(args.dy), i, group, args.f),
               column, args.f);
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
void attention(Exec& exec, const Attention<T>& args) {
  if constexpr (sizeof(T) == 4)
    if (attention_by_mma(exec, args)) return;
  int64_t tiles = args.batch * args.heads * args.group * tiles_of(args.visibility.queries);
  if (tiles > 0)
    launch(attention_kernel<T>, {tiles, column_blocks(args.f)}, kTileThreads, Tile<T>::bytes(1),
           stream(), args);
}

template <class T>
void attention_grad(Exec& exec, const AttentionGrad<T>& args) {
  if constexpr (sizeof(T) == 4)
    if (attention_grad_by_mma(exec, args)) return;
  int64_t heads = args.batch * args.heads;
  int64_t query_tiles = heads * args.group * tiles_of(args.visibility.queries);
  int64_t key_tiles = heads * tiles_of(args.visibility.keys);
  Tensor dots = attention_dots(exec, args);
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
