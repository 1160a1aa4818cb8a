// Matrix-valued states in chunks of kTile tokens, what a state that decays (matrix_state.cu) and
// one that is corrected (delta.cu) have in common. Within a chunk tokens weigh each other in pairs,
// as in attention; a chunk passes to the next what it adds to the state. With D(i,j) = Π_{k=j+1..i}
// a_k, P_i = Π a_k from the chunk's first token to i, E_j = D(last,j) and S the state before the
// chunk,
//   a_i S_{i−1} = P_i S + Σ_{j<i} D(i,j) w_j k_j ⊗ v_j,
//   the state after it is P_last S + Σ_j E_j w_j k_j ⊗ v_j.
// The gradient runs the same way back; nothing is divided by a decay.
#pragma once

#include <cmath>

#include "cuda/tile.h"

namespace star::cuda {

// A factor of each token, 1 where there is none.
template <class T>
__device__ T factor(const T* factors, int64_t token) {
  return factors ? T(global(factors)[token]) : T(1);
}

// One chunk of one head of one sequence.
template <class Args>
struct Chunk {
  // `number` counts [batch, heads, chunks].
  __device__ Chunk(const Args& all, int64_t number)
      : args(all),
        chunks(blocks_of(all.length, kTile)),
        index(number % chunks),
        head(number / chunks),
        begin(index * kTile),
        count(begin + kTile < all.length ? kTile : all.length - begin) {}

  // The number of its token i among all heads of all tokens.
  __device__ int64_t token(int64_t i) const {
    return (head / args.heads * args.length + begin + i) * args.heads + head % args.heads;
  }
  // The number of a query among all.
  __device__ int64_t query(int64_t i, int64_t group) const { return token(i) * args.group + group; }

  template <class Array>
  __device__ auto tokens(const Array& data, int64_t width) const {
    return rows_of(data, [=, this](int64_t i) { return i < count ? token(i) * width : -1; });
  }
  template <class Array>
  __device__ auto queries(const Array& data, int64_t group, int64_t width) const {
    return rows_of(data, [=, this](int64_t i) { return i < count ? query(i, group) * width : -1; });
  }
  // The rows from n on of this chunk's matrix in [batch, heads, chunks, e, f].
  template <class Array>
  __device__ auto state(const Array& data, int64_t n) const {
    return rows_of(data, [=, this](int64_t r) {
      return n + r < args.e ? ((head * chunks + index) * args.e + n + r) * args.f : -1;
    });
  }

  const Args& args;
  int64_t chunks, index, head, begin, count;
};

// D, P and E of a chunk, in shared memory.
template <class T>
class Decays {
 public:
  static constexpr size_t kBytes = kTile * sizeof(T);  // beside a PairWeights
  __device__ explicit Decays(SharedMemory& memory)
      : between_(memory), from_start_(memory.take<T>(kTile)) {}
  template <class Args>
  __device__ Decays(SharedMemory& memory, const Chunk<Args>& chunk) : Decays(memory) {
    fill(chunk);
  }
  // No thread may read what was there before.
  template <class Args>
  __device__ void fill(const Chunk<Args>& chunk) {
    last_ = chunk.count - 1;
    auto decay = [&](int64_t i) { return factor(chunk.args.decay, chunk.token(i)); };
    int64_t j = threadIdx.x;
    if (j < chunk.count) {
      T product = 1;
      for (int64_t i = 0; i < chunk.count; ++i) {
        if (i > j) product *= decay(i);
        between_(i, j) = i < j ? T(0) : product;
      }
    } else if (j == kTile) {
      T product = 1;
      for (int64_t i = 0; i < chunk.count; ++i) from_start_[i] = product *= decay(i);
    }
    __syncthreads();
  }
  __device__ T between(int64_t i, int64_t j) const { return between_(i, j); }
  __device__ T from_start(int64_t i) const { return i < 0 ? T(1) : T(from_start_[i]); }
  __device__ T to_end(int64_t j) const { return between_(last_, j); }

 private:
  PairWeights<T> between_;
  Shared<T> from_start_;
  int64_t last_ = 0;
};

// Shared memory of a block with a tile, the decays and so many arrays of pair weights.
template <class T>
constexpr size_t chunk_bytes(int64_t weights) {
  return Tile<T>::bytes(weights + 1) + Decays<T>::kBytes;
}

// weights(i, j) = f(i, j), 0 where either is no token of the chunk.
template <class T, class Args, class F>
__device__ void fill_weights(const PairWeights<T>& weights, const Chunk<Args>& chunk, const F& f) {
  for (int64_t r = 0; r < kOwnRows; ++r) {
    int64_t i = tile_row(r), j = tile_lane();
    weights(i, j) = i < chunk.count && j < chunk.count ? T(f(r, i, j)) : T(0);
  }
}
template <class T>
__device__ auto turned(const PairWeights<T>& weights) {
  return [&weights](int64_t i, int64_t j) -> T { return weights(j, i); };
}

// sums(row i, columns) += Σ_n c_i x_i[n] S[n, column] with a matrix S of the chunk.
template <class T, class Args, class Row, class Array, class Coefficient>
__device__ void add_state(Tile<T>& tile, TileSums<T>& sums, const PairWeights<T>& weights,
                          const Chunk<Args>& chunk, const Row& x, const Array& states,
                          int64_t column, const Coefficient& c) {
  for (int64_t n = 0; n < chunk.args.e; n += kTile) {
    for (int64_t r = 0; r < kOwnRows; ++r) {
      int64_t i = tile_row(r), at = n + tile_lane();
      bool there = i < chunk.count && at < chunk.args.e;
      weights(i, tile_lane()) = there ? T(c(i) * x.data[x.at(i) + at]) : T(0);
    }
    tile.add(sums, weights, chunk.state(states, n), column, chunk.args.f);
  }
}
// sums(row i, column n) += c_i Σ_c x_i[c] S[n, c].
template <class T, class Args, class Row, class Array, class Coefficient>
__device__ void add_state_turned(Tile<T>& tile, TileSums<T>& sums, const Chunk<Args>& chunk,
                                 const Row& x, const Array& states, int64_t column,
                                 const Coefficient& c) {
  for (int64_t h = 0; h < kOwnColumns; ++h) {
    T products[kOwnRows] = {};
    tile.multiply(products, x, chunk.state(states, column + h * 32), chunk.args.f);
    for (int64_t r = 0; r < kOwnRows; ++r)
      if (tile_row(r) < chunk.count) sums.at[r][h] += c(tile_row(r)) * products[r];
  }
}

// Rows from n on of Σ_i c_i x_i ⊗ z_i over the tokens of a chunk.
template <class T, class Args, class RowX, class RowZ, class Coefficient>
__device__ void add_outer(Tile<T>& tile, TileSums<T>& sums, const PairWeights<T>& weights,
                          const Chunk<Args>& chunk, const RowX& x, const RowZ& z, int64_t n,
                          int64_t column, const Coefficient& c) {
  for (int64_t r = 0; r < kOwnRows; ++r) {
    int64_t i = tile_row(r), at = n + tile_lane();
    bool there = i < chunk.count && at < chunk.args.e;
    weights(i, tile_lane()) = there ? T(c(i) * x.data[x.at(i) + at]) : T(0);
  }
  tile.add(sums, turned(weights), z, column, chunk.args.f);
}
template <class T, class Args>
__device__ void store_state(const TileSums<T>& sums, const Chunk<Args>& chunk, T* states, int64_t n,
                            int64_t column) {
  auto S = chunk.state(global(states), n);
  for_each_sum(sums, column, chunk.args.f, [&](int64_t r, int64_t c, T sum) {
    int64_t at = S.at(tile_row(r));
    if (at >= 0) S.data[at + c] = sum;
  });
}

// What each chunk adds to the state. The grid's second axis counts [tiles of e, blocks of f].
template <class T>
__global__ void chunk_states_kernel(MatrixState<T> args, T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Chunk<MatrixState<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  int64_t blocks = blocks_of(args.f, kColumns);
  int64_t n = blockIdx.y / blocks * kTile, column = blockIdx.y % blocks * kColumns;
  TileSums<T> sums;
  add_outer(tile, sums, weights, chunk, chunk.tokens(global(args.k), args.e),
            chunk.tokens(global(args.v), args.f), n, column,
            [&](int64_t i) { return decays.to_end(i) * factor(args.strength, chunk.token(i)); });
  store_state(sums, chunk, states, n, column);
}

// What each chunk adds to the gradient of the state before it.
template <class T>
__global__ void chunk_slopes_kernel(MatrixStateGrad<T> args, T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Chunk<MatrixStateGrad<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  int64_t blocks = blocks_of(args.f, kColumns);
  int64_t n = blockIdx.y / blocks * kTile, column = blockIdx.y % blocks * kColumns;
  TileSums<T> sums;
  for (int64_t group = 0; group < args.group; ++group)
    add_outer(tile, sums, weights, chunk, chunk.queries(global(args.q), group, args.e),
              chunk.queries(global(args.dy), group, args.f), n, column,
              [&](int64_t i) { return args.scale * decays.from_start(i); });
  store_state(sums, chunk, slopes, n, column);
}

// Replaces what each chunk adds by the state before the chunk, or, in reverse, by the gradient of
// the state after it. A thread for each entry of each head's matrix.
template <class T, class Args>
__global__ void carry_kernel(Args args, bool reverse, const T* start, T* states, T* last) {
  int64_t entries = args.e * args.f, chunks = blocks_of(args.length, kTile);
  auto S = global(states);
  for_each_element(args.batch * args.heads * entries, [&](int64_t i) {
    int64_t first = i / entries * chunks;  // chunk of the head
    auto at = [&](int64_t index) { return (first + index) * entries + i % entries; };
    T end = carry(chunks, reverse, start ? T(global(start)[i]) : T(0), S, at, [&](int64_t index) {
      Chunk<Args> chunk(args, first + index);
      T kept = 1;
      for (int64_t t = 0; t < chunk.count; ++t) kept *= factor(args.decay, chunk.token(t));
      return kept;
    });
    if (last) global(last)[i] = end;
  });
}

// weights(i, j) = scale · D(i,j) (dy_i·v_j), or (q_i·k_j) where `of_scores`.
template <class T>
__device__ void pair_slopes(Tile<T>& tile, const PairWeights<T>& weights,
                            const Chunk<MatrixStateGrad<T>>& chunk, const Decays<T>& decays,
                            int64_t group, bool of_scores) {
  const MatrixStateGrad<T>& args = chunk.args;
  T products[kOwnRows] = {};
  if (of_scores)
    tile.multiply(products, chunk.queries(global(args.q), group, args.e),
                  chunk.tokens(global(args.k), args.e), args.e);
  else
    tile.multiply(products, chunk.queries(global(args.dy), group, args.f),
                  chunk.tokens(global(args.v), args.f), args.f);
  fill_weights(weights, chunk, [&](int64_t r, int64_t i, int64_t j) {
    return args.scale * products[r] * decays.between(i, j);
  });
}

// dq_i = scale (Σ_j D(i,j) w_j (dy_i·v_j) k_j + P_i S dy_i). The grid's second axis counts [group,
// blocks of e].
template <class T>
__global__ void matrix_state_query_grad_kernel(MatrixStateGrad<T> args, const T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Chunk<MatrixStateGrad<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  int64_t group = blockIdx.y % args.group, column = blockIdx.y / args.group * kColumns;
  pair_slopes(tile, weights, chunk, decays, group, false);
  TileSums<T> sums;
  auto weight = [&](int64_t i, int64_t j) -> T {
    return j < chunk.count ? weights(i, j) * factor(args.strength, chunk.token(j)) : T(0);
  };
  tile.add(sums, weight, chunk.tokens(global(args.k), args.e), column, args.e);
  add_state_turned(tile, sums, chunk, chunk.queries(global(args.dy), group, args.f), global(states),
                   column, [&](int64_t i) { return args.scale * decays.from_start(i); });
  auto dq = global(args.dq);
  for_each_sum(sums, column, args.e, [&](int64_t r, int64_t n, T sum) {
    if (tile_row(r) < chunk.count) dq[chunk.query(tile_row(r), group) * args.e + n] = sum;
  });
}

// With G the gradient of the state after the chunk,
//   u_j = Σ_i scale D(i,j) (dy_i·v_j) q_i + E_j G v_j,  dk_j = w_j u_j,
// of which dk receives u: the strength's gradient is made of it too.
template <class T>
__global__ void matrix_state_key_grad_kernel(MatrixStateGrad<T> args, const T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Chunk<MatrixStateGrad<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  int64_t column = blockIdx.y * kColumns;
  TileSums<T> sums;
  for (int64_t group = 0; group < args.group; ++group) {
    pair_slopes(tile, weights, chunk, decays, group, false);
    tile.add(sums, turned(weights), chunk.queries(global(args.q), group, args.e), column, args.e);
  }
  add_state_turned(tile, sums, chunk, chunk.tokens(global(args.v), args.f), global(slopes), column,
                   [&](int64_t j) { return decays.to_end(j); });
  auto dk = global(args.dk);
  for_each_sum(sums, column, args.e, [&](int64_t r, int64_t n, T sum) {
    if (tile_row(r) < chunk.count) dk[chunk.token(tile_row(r)) * args.e + n] = sum;
  });
}

// x_i · S z_i for the rows of this thread, each complete in all lanes of its warp.
template <class T, class RowX, class RowZ>
__device__ void add_forms(Tile<T>& tile, T (&forms)[kOwnRows],
                          const Chunk<MatrixStateGrad<T>>& chunk, const RowX& x, const RowZ& z,
                          const T* states) {
  for (int64_t n = 0; n < chunk.args.e; n += kTile) {
    T products[kOwnRows] = {};
    tile.multiply(products, z, chunk.state(global(states), n), chunk.args.f);
    for (int64_t r = 0; r < kOwnRows; ++r) {
      int64_t i = tile_row(r), at = n + tile_lane();
      bool there = i < chunk.count && at < chunk.args.e;
      T term = there ? T(products[r] * x.data[x.at(i) + at]) : T(0);
      forms[r] += warp_sum(term);
    }
  }
}

// The gradient of a_t is that of the state after t times the state before t, each a part from
// within the chunk and one from outside. With M_ij = Σ_g scale w_j (q_i·k_j)(dy_i·v_j),
// r_i = Σ_g scale q_i·S dy_i, s_j = w_j k_j·G v_j and z = Σ G S it is
//   Σ_{i≥t} D(i,t) (P_{t−1} r_i + Σ_{j<t} D(t−1,j) M_ij) + E_t (P_{t−1} z + Σ_{j<t} D(t−1,j) s_j).
template <class T>
__global__ void matrix_state_decay_grad_kernel(MatrixStateGrad<T> args, const T* states,
                                               const T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> M(memory);
  Chunk<MatrixStateGrad<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  Shared<T> from_queries = memory.take<T>(kTile), from_keys = memory.take<T>(kTile);
  Shared<T> warps = memory.take<T>(32);
  T pairs[kOwnRows] = {}, r_forms[kOwnRows] = {}, s_forms[kOwnRows] = {};
  auto k = chunk.tokens(global(args.k), args.e), v = chunk.tokens(global(args.v), args.f);
  for (int64_t group = 0; group < args.group; ++group) {
    auto q = chunk.queries(global(args.q), group, args.e);
    auto dy = chunk.queries(global(args.dy), group, args.f);
    T scores[kOwnRows] = {}, products[kOwnRows] = {};
    tile.multiply(scores, q, k, args.e);
    tile.multiply(products, dy, v, args.f);
    for (int64_t r = 0; r < kOwnRows; ++r) pairs[r] += args.scale * scores[r] * products[r];
    add_forms(tile, r_forms, chunk, q, dy, states);
  }
  add_forms(tile, s_forms, chunk, k, v, slopes);
  fill_weights(M, chunk, [&](int64_t r, int64_t, int64_t j) {
    return pairs[r] * factor(args.strength, chunk.token(j));
  });
  for (int64_t r = 0; r < kOwnRows; ++r) {
    int64_t i = tile_row(r);
    if (tile_lane() > 0 || i >= chunk.count) continue;
    from_queries[i] = args.scale * r_forms[r];
    from_keys[i] = factor(args.strength, chunk.token(i)) * s_forms[r];
  }
  T z = 0;
  int64_t matrix = int64_t(blockIdx.x) * args.e * args.f;
  for_each_of_row(matrix, matrix + args.e * args.f,
                  [&](int64_t at) { z += global(states)[at] * global(slopes)[at]; });
  z = block_sum(z, warps);
  for (int64_t r = 0; r < kOwnRows; ++r) {
    int64_t t = tile_row(r), i = tile_lane();
    if (t >= chunk.count) continue;  // of the whole warp
    auto past = [&](auto&& of) {
      T sum = 0;
      for (int64_t j = 0; j < t; ++j) sum += decays.between(t - 1, j) * of(j);
      return sum;
    };
    T before = decays.from_start(t - 1), term = 0;
    if (i >= t && i < chunk.count)
      term = decays.between(i, t) *
             (before * from_queries[i] + past([&](int64_t j) { return T(M(i, j)); }));
    T total = warp_sum(term);
    total += decays.to_end(t) * (before * z + past([&](int64_t j) { return T(from_keys[j]); }));
    if (i == 0) global(args.d_decay)[chunk.token(t)] = total;
  }
}

// The state before each chunk, or in reverse the gradient of the one after each.
template <class T, class Args, class Kernel>
Tensor chunk_matrices(Exec& exec, Kernel kernel, const Args& args, bool reverse, const T* start,
                      T* last) {
  int64_t heads = args.batch * args.heads, chunks = tiles_of(args.length);
  Tensor matrices = scratch<T>(exec, Shape{heads * chunks, args.e, args.f});
  if (matrices.numel() > 0)
    launch(kernel, {heads * chunks, tiles_of(args.e) * column_blocks(args.f)}, kTileThreads,
           chunk_bytes<T>(1), stream(), args, matrices.data<T>());
  launch_elements(carry_kernel<T, Args>, heads * args.e * args.f, args, reverse, start,
                  matrices.data<T>(), last);
  return matrices;
}

// A kernel with a block for each chunk and each of `blocks` parts of its result.
template <class T, class Args>
void launch_chunks(void (*kernel)(Args, const T*), int64_t blocks, const Args& args,
                   const Tensor& matrices) {
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  launch(kernel, {chunks, blocks}, kTileThreads, chunk_bytes<T>(1), stream(), args,
         matrices.data<T>());
}
template <class T>
void launch_decay_grad(const MatrixStateGrad<T>& args, const Tensor& states, const Tensor& slopes) {
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  launch(matrix_state_decay_grad_kernel<T>, chunks, kTileThreads,
         chunk_bytes<T>(1) + (2 * kTile + 32) * sizeof(T), stream(), args, states.data<T>(),
         slopes.data<T>());
}

}  // namespace star::cuda
