// Matrix-valued states with a decay a key channel, in chunks of kTile tokens: what the state itself
// (channel_state.cu) and the delta rule on it (channel_delta.cu) have in common. With a = exp(g),
// P_i = a_first ∘ … ∘ a_i and E_j = a_{j+1} ∘ … ∘ a_last of a chunk, multiplied up once for all
// blocks (channel_decays), queries P ∘ q and keys E ∘ k meet the states before and behind a chunk
// as if nothing decayed, by the kernels of cuda/state_chunk.h. Pairs within it,
//   G_ij[n] = a_{j+1}[n] … a_i[n],
// fit no product of matrices unless they are torn apart into quotients, which overflow: they are
// multiplied up on the way, by Horner's rule where a sum over tokens is wanted.
#pragma once

#include "cuda/state_chunk.h"

namespace star::cuda {

// [batch, length, heads, e]: a, P, E; [batch, heads, chunks, e]: P of the last token.
template <class T>
struct ChannelDecays {
  const T *decay, *from_start, *to_end, *total;
};

template <class T, class Args>
__global__ void channel_decays_kernel(Args args, T* decay, T* from_start, T* to_end, T* total) {
  auto g = global(args.log_decay);
  auto a = global(decay), P = global(from_start), E = global(to_end);
  int64_t matrices = args.batch * args.heads * blocks_of(args.length, kTile);
  for_each_element(matrices * args.e, [&](int64_t place) {
    Chunk<Args> chunk(args, place / args.e);
    auto at = [&](int64_t i) { return chunk.token(i) * args.e + place % args.e; };
    T product = 1;
    for (int64_t i = 0; i < chunk.count; ++i) {
      a[at(i)] = exp(T(g[at(i)]));
      P[at(i)] = product *= a[at(i)];
    }
    global(total)[place] = product;
    product = 1;
    for (int64_t j = chunk.count - 1; j >= 0; --j) {
      E[at(j)] = product;
      product *= a[at(j)];
    }
  });
}

// The decays of all chunks, in memory that is kept as long as this is.
template <class T>
struct DecayMemory {
  Tensor decay, from_start, to_end, total;
  template <class Args>
  DecayMemory(Exec& exec, const Args& args)
      : decay(scratch<T>(exec, Shape{args.batch * args.length * args.heads, args.e})),
        from_start(scratch<T>(exec, decay.shape())),
        to_end(scratch<T>(exec, decay.shape())),
        total(scratch<T>(exec, Shape{args.batch * args.heads * tiles_of(args.length), args.e})) {
    launch_elements(channel_decays_kernel<T, Args>, total.numel(), args, decay.template data<T>(),
                    from_start.template data<T>(), to_end.template data<T>(),
                    total.template data<T>());
  }
  ChannelDecays<T> view() const {
    return {decay.data<T>(), from_start.data<T>(), to_end.data<T>(), total.data<T>()};
  }
};

template <class T>
__global__ void channel_product_kernel(int64_t n, const T* a, const T* b, T* y) {
  for_each_element(n, [&](int64_t i) { global(y)[i] = global(a)[i] * global(b)[i]; });
}
// rows ∘ decays.
template <class T>
Tensor faded(Exec& exec, const T* rows, const Tensor& decays) {
  Tensor y = scratch<T>(exec, decays.shape());
  launch_elements(channel_product_kernel<T>, y.numel(), y.numel(), rows, decays.data<T>(),
                  y.data<T>());
  return y;
}

// weights(i, j) = Σ_n x_i[n] G_ij[n] k_j[n] for j < i, and for j = i where `own`; 0 elsewhere. Each
// warp takes its share of the channels, a lane for each key, which fades from row to row; then they
// are added up in the order of the warps.
template <class T, class Args, class Row, class Keys>
__device__ void channel_scores(const PairWeights<T>& weights, const Chunk<Args>& chunk,
                               const Row& x, const Keys& k, const T* decay, bool own) {
  auto a = global(decay);
  T scores[kTile] = {};
  int64_t j = tile_lane(), warp = threadIdx.x / 32, e = chunk.args.e;
  if (j < chunk.count)
    for (int64_t n = warp; n < e; n += kTileWarps) {
      T key = k.data[k.at(j) + n];
      if (own) scores[j] += x.data[x.at(j) + n] * key;
      for (int64_t i = j + 1; i < chunk.count; ++i) {
        key *= a[chunk.token(i) * e + n];
        scores[i] += x.data[x.at(i) + n] * key;
      }
    }
  for (int64_t turn = 0; turn < kTileWarps; ++turn) {
    __syncthreads();
    if (turn != warp) continue;
    for (int64_t i = 0; i < kTile; ++i)
      weights(i, j) = (turn > 0 ? T(weights(i, j)) : T(0)) + scores[i];
  }
  __syncthreads();
}

// Σ_{j≤i} M(i,j) G_ij ∘ k_j and Σ_{i≥j} M(i,j) G_ij ∘ q_i, channel n; pairs of a token with itself
// count where `own`.
template <class T, class Args, class Pair>
__device__ T channel_past(const Chunk<Args>& chunk, const ChannelDecays<T>& decays, int64_t i,
                          int64_t n, const T* keys, bool own, const Pair& M) {
  auto k = global(keys), a = global(decays.decay);
  T sum = 0;
  for (int64_t j = 0; j <= i; ++j) {
    int64_t at = chunk.token(j) * chunk.args.e + n;
    sum *= a[at];
    if (own || j < i) sum += M(i, j) * k[at];
  }
  return sum;
}
template <class T, class Args, class Pair>
__device__ T channel_future(const Chunk<Args>& chunk, const ChannelDecays<T>& decays, int64_t j,
                            int64_t n, const T* queries, bool own, const Pair& M) {
  auto q = global(queries), a = global(decays.decay);
  T sum = 0;
  for (int64_t i = chunk.count - 1; i >= j; --i) {
    int64_t at = chunk.token(i) * chunk.args.e + n;
    if (own || i > j) sum += M(i, j) * q[at];
    if (i > j) sum *= a[at];
  }
  return sum;
}

// As carry_kernel, with the totals of the channels.
template <class T>
__global__ void channel_carry_kernel(int64_t heads, int64_t chunks, int64_t e, int64_t f,
                                     bool reverse, const T* totals, const T* start, T* states,
                                     T* last) {
  int64_t entries = e * f;
  auto S = global(states);
  for_each_element(heads * entries, [&](int64_t i) {
    int64_t first = i / entries * chunks;
    auto at = [&](int64_t index) { return (first + index) * entries + i % entries; };
    T end = carry(chunks, reverse, start ? T(global(start)[i]) : T(0), S, at, [&](int64_t index) {
      return T(global(totals)[(first + index) * e + i % entries / f]);
    });
    if (last) global(last)[i] = end;
  });
}

// A state with these keys that does not decay, of which each chunk counts for itself.
template <class T, class Args>
MatrixState<T> undecayed(const Args& args, const T* keys, const T* values) {
  return {.batch = args.batch,
          .length = args.length,
          .heads = args.heads,
          .group = 1,
          .e = args.e,
          .f = args.f,
          .scale = T(1),
          .q = nullptr,
          .k = keys,
          .v = values,
          .strength = args.strength,
          .y = nullptr};
}
// Its gradient with these queries.
template <class T>
MatrixStateGrad<T> undecayed_grad(const ChannelStateGrad<T>& args, const T* queries) {
  return {.batch = args.batch,
          .length = args.length,
          .heads = args.heads,
          .group = 1,
          .e = args.e,
          .f = args.f,
          .scale = args.scale,
          .q = queries,
          .k = nullptr,
          .v = nullptr,
          .dy = args.dy,
          .dq = nullptr,
          .dk = nullptr,
          .dv = nullptr};
}

// The state before each chunk, or in reverse the gradient of the one after each. `args` has faded
// keys, or queries, and no decay.
template <class T, class Args, class Kernel>
Tensor channel_matrices(Exec& exec, Kernel kernel, const Args& args, bool reverse,
                        const Tensor& totals, const T* start, T* last) {
  int64_t heads = args.batch * args.heads, chunks = tiles_of(args.length);
  Tensor matrices = scratch<T>(exec, Shape{heads * chunks, args.e, args.f});
  if (matrices.numel() > 0)
    launch(kernel, {heads * chunks, tiles_of(args.e) * column_blocks(args.f)}, kTileThreads,
           chunk_bytes<T>(1), stream(), args, matrices.data<T>());
  launch_elements(channel_carry_kernel<T>, heads * args.e * args.f, heads, chunks, args.e, args.f,
                  reverse, totals.data<T>(), start, matrices.data<T>(), last);
  return matrices;
}

// weights(i, j) = scale · dy_i·v_j.
template <class T>
__device__ void channel_slopes(Tile<T>& tile, const PairWeights<T>& weights,
                               const Chunk<ChannelStateGrad<T>>& chunk) {
  const ChannelStateGrad<T>& args = chunk.args;
  T products[kOwnRows] = {};
  tile.multiply(products, chunk.tokens(global(args.dy), args.f),
                chunk.tokens(global(args.v), args.f), args.f);
  fill_weights(weights, chunk,
               [&](int64_t r, int64_t, int64_t) { return args.scale * products[r]; });
  __syncthreads();
}

// dq_i = Σ_j M_ij w_j G_ij ∘ k_j + scale P_i ∘ S dy_i with M_ij = scale dy_i·v_j.
template <class T>
__global__ void channel_query_grad_kernel(ChannelStateGrad<T> args, ChannelDecays<T> decays,
                                          bool own, const T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> M(memory);
  Chunk<ChannelStateGrad<T>> chunk(args, blockIdx.x);
  int64_t column = blockIdx.y * kColumns;
  TileSums<T> sums;
  add_state_turned(tile, sums, chunk, chunk.tokens(global(args.dy), args.f), global(states), column,
                   [&](int64_t) { return args.scale; });
  channel_slopes(tile, M, chunk);
  auto pair = [&](int64_t i, int64_t j) -> T {
    return M(i, j) * factor(args.strength, chunk.token(j));
  };
  auto dq = global(args.dq);
  for_each_sum(sums, column, args.e, [&](int64_t r, int64_t n, T sum) {
    int64_t i = tile_row(r);
    if (i >= chunk.count) return;
    int64_t at = chunk.token(i) * args.e + n;
    dq[at] =
        global(decays.from_start)[at] * sum + channel_past(chunk, decays, i, n, args.k, own, pair);
  });
}

// dk receives u_j = Σ_i M_ij G_ij ∘ q_i + E_j ∘ (gradient of the state after the chunk) v_j.
template <class T>
__global__ void channel_key_grad_kernel(ChannelStateGrad<T> args, ChannelDecays<T> decays, bool own,
                                        const T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> M(memory);
  Chunk<ChannelStateGrad<T>> chunk(args, blockIdx.x);
  int64_t column = blockIdx.y * kColumns;
  TileSums<T> sums;
  add_state_turned(tile, sums, chunk, chunk.tokens(global(args.v), args.f), global(slopes), column,
                   [](int64_t) { return T(1); });
  channel_slopes(tile, M, chunk);
  auto pair = [&](int64_t i, int64_t j) -> T { return M(i, j); };
  auto dk = global(args.dk);
  for_each_sum(sums, column, args.e, [&](int64_t r, int64_t n, T sum) {
    int64_t j = tile_row(r);
    if (j >= chunk.count) return;
    int64_t at = chunk.token(j) * args.e + n;
    dk[at] =
        global(decays.to_end)[at] * sum + channel_future(chunk, decays, j, n, args.q, own, pair);
  });
}

// From u in dk, for one token: the strength's gradient k·u, and dk = w u.
template <class T>
__global__ void channel_token_grad_kernel(ChannelStateGrad<T> args) {
  auto k = global(args.k);
  auto dk = global(args.dk);
  for_each_element(args.batch * args.length * args.heads, [&](int64_t token) {
    T w = factor(args.strength, token), strength = 0;
    for (int64_t n = token * args.e; n < (token + 1) * args.e; ++n) {
      T u = dk[n];
      strength += k[n] * u;
      dk[n] = w * u;
    }
    if (args.d_strength) global(args.d_strength)[token] = strength;
  });
}

// The gradient of the logarithms (cpu/channel_chunk.h), of one channel of a chunk from its end: what
// reads the state after it, then q_t dq_t − k_t dk_t token by token. Where the queries are the keys,
// their gradients are joined afterwards.
template <class T>
__global__ void channel_decay_grad_kernel(ChannelStateGrad<T> args, bool joined, const T* states,
                                          const T* slopes) {
  auto q = global(args.q), k = global(args.k), S = global(states), G = global(slopes);
  auto dq = global(args.dq), dk = global(args.dk), dg = global(args.d_log_decay);
  int64_t matrices = args.batch * args.heads * blocks_of(args.length, kTile);
  for_each_element(matrices * args.e, [&](int64_t place) {
    int64_t number = place / args.e, n = place % args.e;
    Chunk<ChannelStateGrad<T>> chunk(args, number);
    T sum = 0;
    if (chunk.index + 1 < chunk.chunks)
      for (int64_t c = 0; c < args.f; ++c)
        sum += S[((number + 1) * args.e + n) * args.f + c] * G[(number * args.e + n) * args.f + c];
    for (int64_t t = chunk.count - 1; t >= 0; --t) {
      int64_t at = chunk.token(t) * args.e + n;
      sum += q[at] * dq[at] - k[at] * dk[at];
      dg[at] = sum;
      if (joined) dk[at] += dq[at];
    }
  });
}

// A kernel with a block for each chunk and each of `blocks` parts of its result.
template <class T, class... Parameters, class... Arguments>
void launch_channels(void (*kernel)(ChannelStateGrad<T>, Parameters...), int64_t blocks,
                     const ChannelStateGrad<T>& args, const Arguments&... arguments) {
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  launch(kernel, {chunks, blocks}, kTileThreads, Tile<T>::bytes(1), stream(), args, arguments...);
}

// All gradients but that of the values.
template <class T>
void launch_channel_grad(const ChannelStateGrad<T>& args, const ChannelDecays<T>& decays,
                         bool as_keys, const Tensor& states, const Tensor& slopes) {
  int64_t tokens = args.batch * args.length * args.heads;
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  const T *S = states.data<T>(), *G = slopes.data<T>();
  launch_channels<T>(channel_query_grad_kernel<T>, column_blocks(args.e), args, decays, !as_keys,
                     S);
  launch_channels<T>(channel_key_grad_kernel<T>, column_blocks(args.e), args, decays, !as_keys, G);
  launch_elements(channel_token_grad_kernel<T>, tokens, args);
  launch_elements(channel_decay_grad_kernel<T>, chunks * args.e, args, as_keys, S, G);
}

}  // namespace star::cuda
