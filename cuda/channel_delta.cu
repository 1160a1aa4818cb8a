// The delta rule on a state with a decay a key channel, by chunks (cuda/delta.cu but for the
// decays):
//   x_i + Σ_{j<i} N_ij x_j = v_i − Sᵀ (P_i ∘ k_i),  N_ij = (Σ_n k_i[n] G_ij[n] k_j[n]) w_j.
#include "cuda/channel_chunk.h"
#include "cuda/delta_chunk.h"

namespace star::cuda {
namespace {

// P ∘ k and E ∘ k.
template <class T>
struct FadedKeys {
  const T *read, *written;
};

// N, into weights.
template <class T, class Args>
__device__ void write_system(const PairWeights<T>& weights, const Chunk<Args>& chunk,
                             const T* decay) {
  auto k = chunk.tokens(global(chunk.args.k), chunk.args.e);
  channel_scores(weights, chunk, k, k, decay, false);
  int64_t j = tile_lane();
  for (int64_t r = 0; r < kOwnRows; ++r)
    if (j < chunk.count) {
      int64_t i = tile_row(r);
      weights(i, j) = weights(i, j) * factor(chunk.args.strength, chunk.token(j));
    }
}

template <class T>
__global__ void channel_error_kernel(ChannelError<T> args, ChannelDecays<T> decays,
                                     FadedKeys<T> keys, T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  int64_t chunks = blocks_of(args.length, kTile), head = blockIdx.x;
  int64_t column = blockIdx.y * kColumns, f = args.f;
  auto v = global(args.v);
  auto x = global(args.x);
  start_matrix(args, head * chunks, column, states, [&](int64_t at) {
    return args.start ? T(global(args.start)[head * args.e * f + at]) : T(0);
  });
  for (int64_t index = 0; index < chunks; ++index) {
    __syncthreads();
    Chunk<ChannelError<T>> chunk(args, head * chunks + index);
    TileSums<T> foretold;
    add_state(tile, foretold, weights, chunk, chunk.tokens(global(keys.read), args.e),
              global(states), column, [](int64_t) { return T(1); });
    for_each_sum(foretold, column, f, [&](int64_t r, int64_t c, T sum) {
      if (tile_row(r) >= chunk.count) return;
      int64_t at = chunk.token(tile_row(r)) * f + c;
      x[at] = v[at] - sum;
    });
    write_system(weights, chunk, decays.decay);
    substitute(weights, chunk, x, column, false);
    auto kept = [&](int64_t n) -> T {
      return global(decays.total)[(head * chunks + index) * args.e + n];
    };
    if (index + 1 < chunks)
      next_matrix(tile, weights, chunk, kept, chunk.tokens(global(keys.written), args.e),
                  chunk.tokens(x, f), index + 1, column, states,
                  [&](int64_t i) { return factor(args.strength, chunk.token(i)); });
  }
}

// The gradient of x as a whole, which is that of v: with G the gradient of the state after the
// chunk,  (I + Nᵀ) dv = dx + w_i Gᵀ (E_i ∘ k_i);  G of the chunk before is
// Diag(total) G − Σ (P_i ∘ k_i) ⊗ dv_i.
template <class T>
__global__ void channel_error_grad_kernel(ChannelErrorGrad<T> args, ChannelDecays<T> decays,
                                          FadedKeys<T> keys, T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  int64_t chunks = blocks_of(args.length, kTile), head = blockIdx.x;
  int64_t column = blockIdx.y * kColumns, f = args.f;
  auto dx = global(args.dx);
  auto dv = global(args.dv);
  start_matrix(args, head * chunks + chunks - 1, column, slopes, [](int64_t) { return T(0); });
  for (int64_t index = chunks - 1; index >= 0; --index) {
    __syncthreads();
    Chunk<ChannelErrorGrad<T>> chunk(args, head * chunks + index);
    TileSums<T> later;
    add_state(tile, later, weights, chunk, chunk.tokens(global(keys.written), args.e),
              global(slopes), column,
              [&](int64_t i) { return factor(args.strength, chunk.token(i)); });
    for_each_sum(later, column, f, [&](int64_t r, int64_t c, T sum) {
      if (tile_row(r) >= chunk.count) return;
      int64_t at = chunk.token(tile_row(r)) * f + c;
      dv[at] = dx[at] + sum;
    });
    write_system(weights, chunk, decays.decay);
    substitute(weights, chunk, dv, column, true);
    auto kept = [&](int64_t n) -> T {
      return global(decays.total)[(head * chunks + index) * args.e + n];
    };
    if (index > 0)
      next_matrix(tile, weights, chunk, kept, chunk.tokens(global(keys.read), args.e),
                  chunk.tokens(dv, f), index - 1, column, slopes, [](int64_t) { return T(-1); });
  }
}

}  // namespace

template <class T>
void channel_error(Exec& exec, const ChannelError<T>& args) {
  int64_t heads = args.batch * args.heads, chunks = tiles_of(args.length);
  if (heads * chunks * args.f == 0) return;
  DecayMemory<T> decays(exec, args);
  Tensor read = faded(exec, args.k, decays.from_start);
  Tensor written = faded(exec, args.k, decays.to_end);
  Tensor states = scratch<T>(exec, Shape{heads * chunks, args.e, args.f});
  launch(channel_error_kernel<T>, {heads, column_blocks(args.f)}, kTileThreads, Tile<T>::bytes(1),
         stream(), args, decays.view(), FadedKeys<T>{read.data<T>(), written.data<T>()},
         states.data<T>());
}

// With x known, y_t = −(Diag(a_t) S_{t−1})ᵀ k_t would have the gradients of k, the decays and the
// strength: that is a state with queries k, values x and dy = dv, without pairs of a token with
// itself.
template <class T>
void channel_error_grad(Exec& exec, const ChannelErrorGrad<T>& args) {
  int64_t heads = args.batch * args.heads, chunks = tiles_of(args.length);
  if (heads * chunks * args.f == 0) return;
  DecayMemory<T> decays(exec, args);
  Tensor read = faded(exec, args.k, decays.from_start);
  Tensor written = faded(exec, args.k, decays.to_end);
  Tensor slopes = scratch<T>(exec, Shape{heads * chunks, args.e, args.f});
  Tensor query_slopes = scratch<T>(exec, read.shape());
  launch(channel_error_grad_kernel<T>, {heads, column_blocks(args.f)}, kTileThreads,
         Tile<T>::bytes(1), stream(), args, decays.view(),
         FadedKeys<T>{read.data<T>(), written.data<T>()}, slopes.data<T>());
  const T* none = nullptr;
  T* no_last = nullptr;
  Tensor states =
      channel_matrices<T>(exec, chunk_states_kernel<T>, undecayed(args, written.data<T>(), args.x),
                          false, decays.total, none, no_last);
  const ChannelStateGrad<T> as_state = {.batch = args.batch,
                                        .length = args.length,
                                        .heads = args.heads,
                                        .e = args.e,
                                        .f = args.f,
                                        .scale = T(-1),
                                        .q = args.k,
                                        .k = args.k,
                                        .v = args.x,
                                        .log_decay = args.log_decay,
                                        .strength = args.strength,
                                        .dy = args.dv,
                                        .dq = query_slopes.data<T>(),
                                        .dk = args.dk,
                                        .dv = nullptr,
                                        .d_log_decay = args.d_log_decay,
                                        .d_strength = args.d_strength};
  launch_channel_grad(as_state, decays.view(), true, states, slopes);
}

STAR_INSTANTIATE(channel_error, ChannelError)
STAR_INSTANTIATE(channel_error_grad, ChannelErrorGrad)

}  // namespace star::cuda
