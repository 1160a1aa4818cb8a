// The delta rule by chunks (Yang et al., "Parallelizing linear transformers with the delta rule
// over sequence length", 2024). What a chunk's state does not foretell solves a unit lower
// triangular system,
//   x_i + Σ_{j<i} N_ij x_j = v_i − P_i Sᵀ k_i,  N_ij = D(i,j) (k_i·k_j) w_j,
// and the next chunk's state needs x: a block walks over the chunks with kColumns columns of the
// state, which do not know of the others. With x known it is a matrix state with values x, and so
// is most of its gradient.
#include "cuda/delta_chunk.h"

namespace star::cuda {
namespace {

// N, into weights.
template <class T, class Args, class Keys>
__device__ void write_system(Tile<T>& tile, const PairWeights<T>& weights, const Chunk<Args>& chunk,
                             const Decays<T>& decays, const Keys& k) {
  T products[kOwnRows] = {};
  tile.multiply(products, k, k, chunk.args.e);
  fill_weights(weights, chunk, [&](int64_t r, int64_t i, int64_t j) -> T {
    if (j >= i) return 0;
    return decays.between(i, j) * products[r] * factor(chunk.args.strength, chunk.token(j));
  });
}

template <class T>
__global__ void delta_error_kernel(DeltaError<T> args, T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Decays<T> decays(memory);
  int64_t chunks = blocks_of(args.length, kTile), head = blockIdx.x;
  int64_t column = blockIdx.y * kColumns, f = args.f;
  auto v = global(args.v);
  auto x = global(args.x);
  start_matrix(args, head * chunks, column, states, [&](int64_t at) {
    return args.start ? T(global(args.start)[head * args.e * f + at]) : T(0);
  });
  for (int64_t index = 0; index < chunks; ++index) {
    __syncthreads();
    Chunk<DeltaError<T>> chunk(args, head * chunks + index);
    decays.fill(chunk);
    auto k = chunk.tokens(global(args.k), args.e);
    TileSums<T> foretold;
    add_state(tile, foretold, weights, chunk, k, global(states), column,
              [&](int64_t i) { return decays.from_start(i); });
    for_each_sum(foretold, column, f, [&](int64_t r, int64_t c, T sum) {
      if (tile_row(r) >= chunk.count) return;
      int64_t at = chunk.token(tile_row(r)) * f + c;
      x[at] = v[at] - sum;
    });
    write_system(tile, weights, chunk, decays, k);
    substitute(weights, chunk, x, column, false);
    auto kept = [&](int64_t) { return decays.from_start(chunk.count - 1); };
    if (index + 1 < chunks)
      next_matrix(
          tile, weights, chunk, kept, k, chunk.tokens(x, f), index + 1, column, states,
          [&](int64_t i) { return decays.to_end(i) * factor(args.strength, chunk.token(i)); });
  }
}

// The gradient of x as a whole, which is that of v: with G the gradient of the state after the chunk,
//   (I + Nᵀ) dv = dx + w_i E_i Gᵀ k_i;
// G of the chunk before is P_last G − Σ P_i k_i ⊗ dv_i.
template <class T>
__global__ void delta_value_grad_kernel(DeltaErrorGrad<T> args, T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Decays<T> decays(memory);
  int64_t chunks = blocks_of(args.length, kTile), head = blockIdx.x;
  int64_t column = blockIdx.y * kColumns, f = args.f;
  auto dx = global(args.dx);
  auto dv = global(args.dv);
  start_matrix(args, head * chunks + chunks - 1, column, slopes, [](int64_t) { return T(0); });
  for (int64_t index = chunks - 1; index >= 0; --index) {
    __syncthreads();
    Chunk<DeltaErrorGrad<T>> chunk(args, head * chunks + index);
    decays.fill(chunk);
    auto k = chunk.tokens(global(args.k), args.e);
    TileSums<T> later;
    add_state(tile, later, weights, chunk, k, global(slopes), column,
              [&](int64_t i) { return decays.to_end(i) * factor(args.strength, chunk.token(i)); });
    for_each_sum(later, column, f, [&](int64_t r, int64_t c, T sum) {
      if (tile_row(r) >= chunk.count) return;
      int64_t at = chunk.token(tile_row(r)) * f + c;
      dv[at] = dx[at] + sum;
    });
    write_system(tile, weights, chunk, decays, k);
    substitute(weights, chunk, dv, column, true);
    auto kept = [&](int64_t) { return decays.from_start(chunk.count - 1); };
    if (index > 0)
      next_matrix(tile, weights, chunk, kept, k, chunk.tokens(dv, f), index - 1, column, slopes,
                  [&](int64_t i) { return -decays.from_start(i); });
  }
}

// What is left for each token of the gradient as a matrix state (delta_error_grad): dk holds u, and
// pairs of a token with itself, dv_t·x_t, count there but do not here.
template <class T>
__global__ void delta_token_grad_kernel(DeltaErrorGrad<T> args, const T* query_slopes) {
  auto k = global(args.k), x = global(args.x), dq = global(query_slopes);
  auto dv = global(args.dv), dk = global(args.dk);
  for_each_element(args.batch * args.length * args.heads, [&](int64_t token) {
    T w = factor(args.strength, token), own = 0, strength = 0;
    for (int64_t c = token * args.f; c < (token + 1) * args.f; ++c) own += dv[c] * x[c];
    for (int64_t n = token * args.e; n < (token + 1) * args.e; ++n) {
      T u = dk[n] + own * k[n];
      strength += k[n] * u;
      dk[n] = w * u + dq[n] + w * own * k[n];
    }
    global(args.d_strength)[token] = strength;
  });
}

}  // namespace

template <class T>
void delta_error(Exec& exec, const DeltaError<T>& args) {
  int64_t heads = args.batch * args.heads, chunks = tiles_of(args.length);
  if (heads * chunks * args.f == 0) return;
  Tensor states = scratch<T>(exec, Shape{heads * chunks, args.e, args.f});
  launch(delta_error_kernel<T>, {heads, column_blocks(args.f)}, kTileThreads, chunk_bytes<T>(1),
         stream(), args, states.data<T>());
}

// With x known, y_t = −S_tᵀ k_t would have the gradients of k, the decay and the strength, but for
// pairs of a token with itself: that is a matrix state with queries k, values x and dy = dv.
template <class T>
void delta_error_grad(Exec& exec, const DeltaErrorGrad<T>& args) {
  int64_t heads = args.batch * args.heads, chunks = tiles_of(args.length), e = args.e, f = args.f;
  if (heads * chunks * f == 0) return;
  Tensor slopes = scratch<T>(exec, Shape{heads * chunks, e, f});
  Tensor query_slopes = scratch<T>(exec, Shape{heads * args.length, e});
  launch(delta_value_grad_kernel<T>, {heads, column_blocks(f)}, kTileThreads, chunk_bytes<T>(1),
         stream(), args, slopes.data<T>());
  MatrixState<T> forward = {.batch = args.batch,
                            .length = args.length,
                            .heads = args.heads,
                            .group = 1,
                            .e = e,
                            .f = f,
                            .scale = T(1),
                            .q = args.k,
                            .k = args.k,
                            .v = args.x,
                            .decay = args.decay,
                            .strength = args.strength,
                            .y = nullptr};
  const T* none = nullptr;
  T* no_last = nullptr;
  Tensor states = chunk_matrices<T>(exec, chunk_states_kernel<T>, forward, false, none, no_last);
  MatrixStateGrad<T> as_state = {.batch = args.batch,
                                 .length = args.length,
                                 .heads = args.heads,
                                 .group = 1,
                                 .e = e,
                                 .f = f,
                                 .scale = T(-1),
                                 .q = args.k,
                                 .k = args.k,
                                 .v = args.x,
                                 .decay = args.decay,
                                 .strength = args.strength,
                                 .dy = args.dv,
                                 .dq = query_slopes.data<T>(),
                                 .dk = args.dk,
                                 .dv = nullptr,
                                 .d_decay = args.d_decay,
                                 .d_strength = args.d_strength};
  launch_chunks(matrix_state_query_grad_kernel<T>, column_blocks(e), as_state, states);
  launch_chunks(matrix_state_key_grad_kernel<T>, column_blocks(e), as_state, slopes);
  launch_decay_grad(as_state, states, slopes);
  launch_elements(delta_token_grad_kernel<T>, heads * args.length, args, query_slopes.data<T>());
}

STAR_INSTANTIATE(delta_error, DeltaError)
STAR_INSTANTIATE(delta_error_grad, DeltaErrorGrad)

}  // namespace star::cuda
