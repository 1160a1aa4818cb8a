// A matrix-valued state that decays, by chunks.
#include "cpu/state_chunk.h"

namespace star::cpu::STAR_TARGET {
namespace {

template <class T>
void head_forward(const MatrixState<T>& args, int64_t head, Scratch<T> scratch) {
  Chunk<T, MatrixState<T>> c(args, head, scratch);
  Tile<T> S = scratch.tile(args.e, args.f);
  fill_state(args.start, head, args.e, args.f, S);
  for (int64_t begin = 0; begin < args.length; begin += kChunk) {
    c.load_chunk(begin);
    for (int64_t of = 0; of < args.group; ++of) {
      copy_tile<T>(c.rows, args.e, c.query(args.q, of, args.e), c.q, args.scale);
      c.scores();
      c.weigh(c.P);
      for (int64_t i = 0; i < c.rows; ++i) scale_row(c.q.data + i * c.q.row, c.q.row, c.since[i]);
      tile_product<T>(c.rows, args.f, args.e, c.q, S, c.y, false);
      tile_product<T>(c.rows, args.f, c.rows, c.P, c.v, c.y, true);
      store_tile<T>(c.rows, args.f, c.y, c.query(args.y, of, args.f));
    }
    if (args.last || begin + kChunk < args.length) c.write_to(S);
  }
  if (args.last)
    store_tile<T>(args.e, args.f, S, Tile<T>{args.last + head * args.e * args.f, args.f});
}

template <class T>
void head_gradient(const MatrixStateGrad<T>& args, int64_t head, Scratch<T> scratch) {
  HeadGradient<T> h(args, head, scratch);
  h.start();
  for (int64_t m = h.chunks(args) - 1; m >= 0; --m) {
    h.open(m);
    auto& c = h.c;
    for (int64_t of = 0; of < args.group; ++of) {
      copy_tile<T>(c.rows, args.e, c.query(args.q, of, args.e), c.q, args.scale);
      copy_tile<T>(c.rows, args.f, c.query(args.dy, of, args.f), h.dy);
      h.read();
      for (int64_t i = 0; i < c.rows; ++i)
        scale_row(h.dq.data + i * h.dq.row, h.dq.row, args.scale);
      store_tile<T>(c.rows, args.e, h.dq, c.query(args.dq, of, args.e));
    }
    h.close();
    store_tile<T>(c.rows, args.f, h.dv, c.mine(args.dv, args.f));
  }
}

}  // namespace

template <class T>
void matrix_state(Exec& exec, const MatrixState<T>& args) {
  int64_t size = Chunk<T, MatrixState<T>>::size(args) + args.e * padded<T>(args.f);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_forward<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

template <class T>
void matrix_state_grad(Exec& exec, const MatrixStateGrad<T>& args) {
  int64_t size = HeadGradient<T>::size(args);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_gradient<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

STAR_INSTANTIATE(matrix_state, MatrixState)
STAR_INSTANTIATE(matrix_state_grad, MatrixStateGrad)

}  // namespace star::cpu::STAR_TARGET
