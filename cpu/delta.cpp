// The delta rule by chunks (Yang et al., "Parallelizing linear transformers with the delta rule
// over sequence length", 2024). With S the state before a chunk, what it does not foretell of its
// values solves a unit lower triangular system,
//   x_i + Σ_{j<i} G_ij (k_i·k_j) w_j x_j = v_i − G_i,−1 Sᵀ k_i,
// by substitution: a few rows at a time get all that the rows above add as a product of tiles.
#include "cpu/state_chunk.h"

namespace star::cpu::STAR_TARGET {
namespace {

// to = factor · from, on whole registers.
template <class T>
void put_row(T* to, int64_t n, T factor, const T* from) {
  for (int64_t c = 0; c < n; c += kLanes<T>)
    (Vec<T>(factor) * Vec<T>::load_unaligned(from + c)).store_unaligned(to + c);
}

// −G_ij (k_i·k_j) below the diagonal, in P; c.q is left as the negative keys.
template <class T, class Args>
void negative_system(Chunk<T, Args>& c) {
  copy_tile<T>(c.rows, c.args.e, c.mine(c.args.k, c.args.e), c.q, T(-1));
  c.scores();
  c.weigh(c.P);
}

template <class T>
void head_forward(const DeltaError<T>& args, int64_t head, Scratch<T> scratch) {
  // The strengths wait until x is known.
  const MatrixState<T> unweighted{.batch = args.batch,
                                  .length = args.length,
                                  .heads = args.heads,
                                  .group = 1,
                                  .e = args.e,
                                  .f = args.f,
                                  .scale = T(1),
                                  .q = nullptr,
                                  .k = args.k,
                                  .v = args.v,
                                  .decay = args.decay,
                                  .y = nullptr};
  Chunk<T, MatrixState<T>> c(unweighted, head, scratch);
  Tile<T> S = scratch.tile(args.e, args.f), x = c.y, weighted = c.v;
  fill_state(args.start, head, args.e, args.f, S);
  for (int64_t begin = 0; begin < args.length; begin += kChunk) {
    c.load_chunk(begin);
    negative_system(c);
    copy_tile<T>(c.rows, args.f, c.v, x);
    for (int64_t i = 0; i < c.rows; ++i) scale_row(c.q.data + i * c.q.row, c.q.row, c.since[i]);
    tile_product<T>(c.rows, args.f, args.e, c.q, S, x, true);
    for (int64_t from = 0; from < c.rows; from += kTileRows) {
      int64_t to = std::min(c.rows, from + kTileRows);
      if (from > 0)
        tile_product<T>(to - from, args.f, from, c.P.from(from), weighted, x.from(from), true);
      for (int64_t i = from; i < to; ++i) {
        T* row = x.from(i).data;
        for (int64_t j = from; j < i; ++j)
          add_row(row, x.row, *c.P.from(i, j).data, weighted.from(j).data);
        T strength = args.strength[(c.b * args.length + begin + i) * args.heads + c.h];
        put_row(weighted.from(i).data, x.row, strength, row);
      }
    }
    store_tile<T>(c.rows, args.f, x, c.mine(args.x, args.f));
    if (begin + kChunk < args.length) c.write_to(S);
  }
}

// The gradient is that of a reading by the keys themselves. With r = v − x what the state
// foretells, dx' = dx + the gradient through the state behind the chunk, and w of the transposed
// system
//   w_j + Σ_{i>j} G_ij (k_i·k_j) w_j w_i = dx'_j:  dv = w,  dr = −w.
template <class T>
void head_gradient(const DeltaErrorGrad<T>& args, int64_t head, Scratch<T> scratch) {
  const MatrixStateGrad<T> reading{.batch = args.batch,
                                   .length = args.length,
                                   .heads = args.heads,
                                   .group = 1,
                                   .e = args.e,
                                   .f = args.f,
                                   .scale = T(1),
                                   .q = nullptr,
                                   .k = args.k,
                                   .v = args.x,
                                   .decay = args.decay,
                                   .strength = args.strength,
                                   .dy = args.dx,
                                   .dq = nullptr,
                                   .dk = args.dk,
                                   .dv = args.dv,
                                   .d_decay = args.d_decay,
                                   .d_strength = args.d_strength};
  HeadGradient<T> h(reading, head, scratch);
  h.start();
  for (int64_t m = h.chunks(reading) - 1; m >= 0; --m) {
    h.open(m);
    auto& c = h.c;
    c.set_diagonal(0);
    negative_system(c);
    Tile<T> w = h.dy, through = c.y;  // dx at first; what reaches w x otherwise
    copy_tile<T>(c.rows, args.f, c.mine(args.dx, args.f), w);
    copy_tile<T>(c.rows, args.f, h.dv, through);
    for (int64_t to = c.rows, from; to > 0; to = from) {
      from = std::max<int64_t>(0, to - kTileRows);
      if (to < c.rows)
        tile_product<T>(to - from, args.f, c.rows - to, c.P.from(to, from).transposed(), w.from(to),
                        through.from(from), true);
      for (int64_t j = to - 1; j >= from; --j) {
        T* row = through.from(j).data;
        for (int64_t i = j + 1; i < to; ++i)
          add_row(row, w.row, *c.P.from(i, j).data, w.from(i).data);
        add_row(w.from(j).data, w.row, c.strength[j], row);
      }
    }
    store_tile<T>(c.rows, args.f, w, c.mine(args.dv, args.f));
    copy_tile<T>(c.rows, args.e, c.mine(args.k, args.e), c.q);
    for (int64_t i = 0; i < c.rows; ++i) scale_row(w.from(i).data, w.row, T(-1));
    h.read();
    for (int64_t i = 0; i < c.rows; ++i)
      add_row(h.dk.from(i).data, h.dk.row, T(1), h.dq.from(i).data);
    c.set_diagonal(1);
    h.close();
  }
}

}  // namespace

template <class T>
void delta_error(Exec& exec, const DeltaError<T>& args) {
  int64_t size = Chunk<T, DeltaError<T>>::size(args) + args.e * padded<T>(args.f);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_forward<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

template <class T>
void delta_error_grad(Exec& exec, const DeltaErrorGrad<T>& args) {
  int64_t size = HeadGradient<T>::size(args);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_gradient<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

STAR_INSTANTIATE(delta_error, DeltaError)
STAR_INSTANTIATE(delta_error_grad, DeltaErrorGrad)

}  // namespace star::cpu::STAR_TARGET
