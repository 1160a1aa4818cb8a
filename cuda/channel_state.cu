// A matrix-valued state with a decay a key channel (Yang et al., 2024), in chunks:
//   y_i = scale · (Σ_{j≤i} (Σ_n q_i[n] G_ij[n] k_j[n]) w_j v_j + Sᵀ (P_i ∘ q_i)).
#include "cuda/channel_chunk.h"

namespace star::cuda {
namespace {

template <class T>
__global__ void channel_state_kernel(ChannelState<T> args, const T* decay, const T* queries,
                                     const T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> scores(memory), weights(memory);
  Chunk<ChannelState<T>> chunk(args, blockIdx.x);
  int64_t column = blockIdx.y * kColumns;
  channel_scores(scores, chunk, chunk.tokens(global(args.q), args.e),
                 chunk.tokens(global(args.k), args.e), decay, true);
  TileSums<T> sums;
  auto weight = [&](int64_t i, int64_t j) -> T {
    if (j >= chunk.count) return 0;
    return args.scale * scores(i, j) * factor(args.strength, chunk.token(j));
  };
  tile.add(sums, weight, chunk.tokens(global(args.v), args.f), column, args.f);
  add_state(tile, sums, weights, chunk, chunk.tokens(global(queries), args.e), global(states),
            column, [&](int64_t) { return args.scale; });
  auto y = global(args.y);
  for_each_sum(sums, column, args.f, [&](int64_t r, int64_t c, T sum) {
    if (tile_row(r) < chunk.count) y[chunk.token(tile_row(r)) * args.f + c] = sum;
  });
}

// dv_j = w_j (Σ_i scale (Σ_n q_i[n] G_ij[n] k_j[n]) dy_i + Gᵀ (E_j ∘ k_j)), G behind the chunk.
template <class T>
__global__ void channel_value_grad_kernel(ChannelStateGrad<T> args, const T* decay, const T* keys,
                                          const T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> scores(memory), weights(memory);
  Chunk<ChannelStateGrad<T>> chunk(args, blockIdx.x);
  int64_t column = blockIdx.y * kColumns;
  channel_scores(scores, chunk, chunk.tokens(global(args.q), args.e),
                 chunk.tokens(global(args.k), args.e), decay, true);
  TileSums<T> sums;
  auto weight = [&](int64_t j, int64_t i) -> T { return args.scale * scores(i, j); };
  tile.add(sums, weight, chunk.tokens(global(args.dy), args.f), column, args.f);
  add_state(tile, sums, weights, chunk, chunk.tokens(global(keys), args.e), global(slopes), column,
            [](int64_t) { return T(1); });
  auto dv = global(args.dv);
  for_each_sum(sums, column, args.f, [&](int64_t r, int64_t c, T sum) {
    int64_t token = chunk.token(tile_row(r));
    if (tile_row(r) < chunk.count) dv[token * args.f + c] = factor(args.strength, token) * sum;
  });
}

}  // namespace

template <class T>
void channel_state(Exec& exec, const ChannelState<T>& args) {
  DecayMemory<T> decays(exec, args);
  Tensor queries = faded(exec, args.q, decays.from_start);
  Tensor keys = faded(exec, args.k, decays.to_end);
  Tensor states =
      channel_matrices<T>(exec, chunk_states_kernel<T>, undecayed(args, keys.data<T>(), args.v),
                          false, decays.total, args.start, args.last);
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  if (chunks > 0)
    launch(channel_state_kernel<T>, {chunks, column_blocks(args.f)}, kTileThreads,
           Tile<T>::bytes(2), stream(), args, decays.view().decay, queries.data<T>(),
           states.data<T>());
}

template <class T>
void channel_state_grad(Exec& exec, const ChannelStateGrad<T>& args) {
  if (args.batch * args.heads * args.length == 0) return;
  DecayMemory<T> decays(exec, args);
  Tensor keys = faded(exec, args.k, decays.to_end);
  Tensor queries = faded(exec, args.q, decays.from_start);
  const T* none = nullptr;
  T* no_last = nullptr;
  Tensor states =
      channel_matrices<T>(exec, chunk_states_kernel<T>, undecayed(args, keys.data<T>(), args.v),
                          false, decays.total, none, no_last);
  Tensor slopes =
      channel_matrices<T>(exec, chunk_slopes_kernel<T>, undecayed_grad(args, queries.data<T>()),
                          true, decays.total, none, no_last);
  launch(channel_value_grad_kernel<T>,
         {args.batch * args.heads * tiles_of(args.length), column_blocks(args.f)}, kTileThreads,
         Tile<T>::bytes(2), stream(), args, decays.view().decay, keys.data<T>(), slopes.data<T>());
  launch_channel_grad(args, decays.view(), false, states, slopes);
}

STAR_INSTANTIATE(channel_state, ChannelState)
STAR_INSTANTIATE(channel_state_grad, ChannelStateGrad)

}  // namespace star::cuda
