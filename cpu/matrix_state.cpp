// A matrix-valued state that decays, by chunks.
#include "cpu/state_chunk.h"

namespace star::cpu::STAR_TARGET {
namespace {

template <class T>
void head_forward(const MatrixState<T>& g, int64_t head, Scratch<T> scratch) {
  Chunk<T, MatrixState<T>> c(g, head, scratch);
  Tile<T> S = scratch.tile(g.e, g.f);
  fill_state(g.start, head, g.e, g.f, S);
  for (int64_t begin = 0; begin < g.length; begin += kChunk) {
    c.load_chunk(begin);
    for (int64_t of = 0; of < g.group; ++of) {
      copy_tile<T>(c.rows, g.e, c.query(g.q, of, g.e), c.q, g.scale);
      c.scores();
      c.weigh(c.P);
      for (int64_t i = 0; i < c.rows; ++i) scale_row(c.q.data + i * c.q.row, c.q.row, c.since[i]);
      tile_product<T>(c.rows, g.f, g.e, c.q, S, c.y, false);
      tile_product<T>(c.rows, g.f, c.rows, c.P, c.v, c.y, true);
      store_tile<T>(c.rows, g.f, c.y, c.query(g.y, of, g.f));
    }
    if (g.last || begin + kChunk < g.length) c.write_to(S);
  }
  if (g.last) store_tile<T>(g.e, g.f, S, Tile<T>{g.last + head * g.e * g.f, g.f});
}

template <class T>
void head_gradient(const MatrixStateGrad<T>& g, int64_t head, Scratch<T> scratch) {
  HeadGradient<T> h(g, head, scratch);
  h.start();
  for (int64_t m = h.chunks(g) - 1; m >= 0; --m) {
    h.open(m);
    auto& c = h.c;
    for (int64_t of = 0; of < g.group; ++of) {
      copy_tile<T>(c.rows, g.e, c.query(g.q, of, g.e), c.q, g.scale);
      copy_tile<T>(c.rows, g.f, c.query(g.dy, of, g.f), h.dy);
      h.read();
      for (int64_t i = 0; i < c.rows; ++i) scale_row(h.dq.data + i * h.dq.row, h.dq.row, g.scale);
      store_tile<T>(c.rows, g.e, h.dq, c.query(g.dq, of, g.e));
    }
    h.close();
    store_tile<T>(c.rows, g.f, h.dv, c.mine(g.dv, g.f));
  }
}

}  // namespace

template <class T>
void matrix_state(Exec& exec, const MatrixState<T>& g) {
  int64_t size = Chunk<T, MatrixState<T>>::size(g) + g.e * padded<T>(g.f);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(g.batch * g.heads, [&](int64_t head, int thread) {
    head_forward<T>(g, head, {scratch.template data<T>() + thread * size});
  });
}

template <class T>
void matrix_state_grad(Exec& exec, const MatrixStateGrad<T>& g) {
  int64_t size = HeadGradient<T>::size(g);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(g.batch * g.heads, [&](int64_t head, int thread) {
    head_gradient<T>(g, head, {scratch.template data<T>() + thread * size});
  });
}

STAR_INSTANTIATE(matrix_state, MatrixState)
STAR_INSTANTIATE(matrix_state_grad, MatrixStateGrad)

}  // namespace star::cpu::STAR_TARGET
