// A matrix-valued state that decays (Dao and Gu, 2024), in chunks:
//   y_i = scale · (Σ_{j≤i} D(i,j) w_j (q_i·k_j) v_j + P_i q_iᵀ S).
#include "cuda/state_chunk.h"

namespace star::cuda {
namespace {

// The grid's second axis counts [group, blocks of f].
template <class T>
__global__ void matrix_state_kernel(MatrixState<T> args, const T* states) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Chunk<MatrixState<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  int64_t group = blockIdx.y % args.group, column = blockIdx.y / args.group * kColumns;
  auto q = chunk.queries(global(args.q), group, args.e);
  T scores[kOwnRows] = {};
  tile.multiply(scores, q, chunk.tokens(global(args.k), args.e), args.e);
  fill_weights(weights, chunk, [&](int64_t r, int64_t i, int64_t j) {
    return args.scale * scores[r] * decays.between(i, j) * factor(args.strength, chunk.token(j));
  });
  TileSums<T> sums;
  tile.add(sums, weights, chunk.tokens(global(args.v), args.f), column, args.f);
  add_state(tile, sums, weights, chunk, q, global(states), column,
            [&](int64_t i) { return args.scale * decays.from_start(i); });
  auto y = global(args.y);
  for_each_sum(sums, column, args.f, [&](int64_t r, int64_t c, T sum) {
    if (tile_row(r) < chunk.count) y[chunk.query(tile_row(r), group) * args.f + c] = sum;
  });
}

// dv_j = w_j (Σ_i scale D(i,j) (q_i·k_j) dy_i + E_j Gᵀ k_j).
template <class T>
__global__ void matrix_state_value_grad_kernel(MatrixStateGrad<T> args, const T* slopes) {
  SharedMemory memory;
  Tile<T> tile(memory);
  PairWeights<T> weights(memory);
  Chunk<MatrixStateGrad<T>> chunk(args, blockIdx.x);
  Decays<T> decays(memory, chunk);
  int64_t column = blockIdx.y * kColumns;
  TileSums<T> sums;
  for (int64_t group = 0; group < args.group; ++group) {
    pair_slopes(tile, weights, chunk, decays, group, true);
    tile.add(sums, turned(weights), chunk.queries(global(args.dy), group, args.f), column, args.f);
  }
  add_state(tile, sums, weights, chunk, chunk.tokens(global(args.k), args.e), global(slopes),
            column, [&](int64_t j) { return decays.to_end(j); });
  auto dv = global(args.dv);
  for_each_sum(sums, column, args.f, [&](int64_t r, int64_t c, T sum) {
    int64_t token = chunk.token(tile_row(r));
    if (tile_row(r) < chunk.count) dv[token * args.f + c] = factor(args.strength, token) * sum;
  });
}

// From u in dk, for one token: the strength's gradient k·u, and dk = w u.
template <class T>
__global__ void matrix_state_token_grad_kernel(MatrixStateGrad<T> args) {
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

}  // namespace

template <class T>
void matrix_state(Exec& exec, const MatrixState<T>& args) {
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  Tensor states =
      chunk_matrices<T>(exec, chunk_states_kernel<T>, args, false, args.start, args.last);
  if (chunks > 0)
    launch(matrix_state_kernel<T>, {chunks, args.group * column_blocks(args.f)}, kTileThreads,
           chunk_bytes<T>(1), stream(), args, states.data<T>());
}

template <class T>
void matrix_state_grad(Exec& exec, const MatrixStateGrad<T>& args) {
  int64_t chunks = args.batch * args.heads * tiles_of(args.length);
  if (chunks == 0) return;
  const T* none = nullptr;
  MatrixState<T> forward = {.batch = args.batch,
                            .length = args.length,
                            .heads = args.heads,
                            .group = args.group,
                            .e = args.e,
                            .f = args.f,
                            .scale = args.scale,
                            .q = args.q,
                            .k = args.k,
                            .v = args.v,
                            .decay = args.decay,
                            .strength = args.strength,
                            .y = nullptr};
  Tensor states = chunk_matrices<T>(exec, chunk_states_kernel<T>, forward, false, none, nullptr);
  Tensor slopes = chunk_matrices<T>(exec, chunk_slopes_kernel<T>, args, true, none, nullptr);
  launch_chunks(matrix_state_query_grad_kernel<T>, args.group * column_blocks(args.e), args,
                states);
  launch_chunks(matrix_state_key_grad_kernel<T>, column_blocks(args.e), args, slopes);
  launch_chunks(matrix_state_value_grad_kernel<T>, column_blocks(args.f), args, slopes);
  launch_elements(matrix_state_token_grad_kernel<T>, args.batch * args.length * args.heads, args);
  if (args.d_decay) launch_decay_grad(args, states, slopes);
}

STAR_INSTANTIATE(matrix_state, MatrixState)
STAR_INSTANTIATE(matrix_state_grad, MatrixStateGrad)

}  // namespace star::cuda
