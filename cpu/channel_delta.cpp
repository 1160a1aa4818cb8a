// The delta rule on a state with a decay a key channel (Kimi Team, "Kimi Linear", 2025), by chunks.
// With S the state before a chunk, what it does not foretell of its values solves
//   x_i + Σ_{j<i} N_ij w_j x_j = v_i − Sᵀ (since_i ∘ k_i),  N_ij = Σ_n k_i[n] G_ij[n] k_j[n],
// as in cpu/delta.cpp but for the decays; so does the gradient.
#include "cpu/channel_chunk.h"

namespace star::cpu::STAR_TARGET {
namespace {

// −N in P; c.q is left as the negative keys.
template <class T, class Args>
void negative_system(ChannelChunk<T, Args>& c) {
  copy_tile<T>(c.rows, c.args.e, c.mine(c.args.k, c.args.e), c.q, T(-1));
  c.scores(false);
}

template <class T>
void head_forward(const ChannelError<T>& args, int64_t head, Scratch<T> scratch) {
  // The strengths wait until x is known.
  const ChannelState<T> unweighted{.batch = args.batch,
                                   .length = args.length,
                                   .heads = args.heads,
                                   .e = args.e,
                                   .f = args.f,
                                   .scale = T(1),
                                   .q = nullptr,
                                   .k = args.k,
                                   .v = args.v,
                                   .log_decay = args.log_decay,
                                   .y = nullptr};
  ChannelChunk<T, ChannelState<T>> c(unweighted, head, scratch);
  Tile<T> S = scratch.tile(args.e, args.f), x = c.y, weighted = c.v;
  fill_channel_state(args.start, head, args.e, args.f, S);
  for (int64_t begin = 0; begin < args.length; begin += kChannelChunk) {
    c.load_chunk(begin);
    negative_system(c);
    copy_tile<T>(c.rows, args.f, c.v, x);
    c.fade_queries();
    tile_product<T>(c.rows, args.f, args.e, c.q, S, x, true);
    for (int64_t i = 0; i < c.rows; ++i) {
      T *row = x.from(i).data, *to = weighted.from(i).data;
      for (int64_t j = 0; j < i; ++j)
        add_row(row, x.row, *c.P.from(i, j).data, weighted.from(j).data);
      std::copy_n(row, x.row, to);
      scale_row(to, x.row, args.strength[c.token(i)]);
    }
    store_tile<T>(c.rows, args.f, x, c.mine(args.x, args.f));
    if (begin + kChannelChunk < args.length) c.write_to(S);
  }
}

// That of a reading by the keys themselves, with dy = −w of the transposed system
//   w_j + Σ_{i>j} N_ij w_j w_i = dx'_j,  dv = w,
// where dx' = dx + the gradient through the state behind the chunk.
template <class T>
void head_gradient(const ChannelErrorGrad<T>& args, int64_t head, Scratch<T> scratch) {
  const ChannelStateGrad<T> reading{.batch = args.batch,
                                    .length = args.length,
                                    .heads = args.heads,
                                    .e = args.e,
                                    .f = args.f,
                                    .scale = T(1),
                                    .q = nullptr,
                                    .k = args.k,
                                    .v = args.x,
                                    .log_decay = args.log_decay,
                                    .strength = args.strength,
                                    .dy = args.dx,
                                    .dq = nullptr,
                                    .dk = args.dk,
                                    .dv = args.dv,
                                    .d_log_decay = args.d_log_decay,
                                    .d_strength = args.d_strength};
  ChannelGradient<T> h(reading, head, scratch);
  h.start();
  for (int64_t m = h.chunks(args.length) - 1; m >= 0; --m) {
    h.open(m);
    auto& c = h.c;
    negative_system(c);
    Tile<T> w = h.dy, through = c.y;  // dx at first; what reaches w x otherwise
    copy_tile<T>(c.rows, args.f, c.mine(args.dx, args.f), w);
    copy_tile<T>(c.rows, args.f, h.dv, through);
    for (int64_t j = c.rows - 1; j >= 0; --j) {
      T* row = through.from(j).data;
      for (int64_t i = j + 1; i < c.rows; ++i)
        add_row(row, w.row, *c.P.from(i, j).data, w.from(i).data);
      add_row(w.from(j).data, w.row, c.strength[j], row);
    }
    store_tile<T>(c.rows, args.f, w, c.mine(args.dv, args.f));
    copy_tile<T>(c.rows, args.e, c.mine(args.k, args.e), c.q);
    for (int64_t i = 0; i < c.rows; ++i) scale_row(w.from(i).data, w.row, T(-1));
    h.read(false);
    h.close();
    for (int64_t i = 0; i < c.rows; ++i)
      add_row(h.dk.from(i).data, h.dk.row, T(1), h.dq.from(i).data);
    store_tile<T>(c.rows, args.e, h.dk, c.mine(args.dk, args.e));
  }
}

}  // namespace

template <class T>
void channel_error(Exec& exec, const ChannelError<T>& args) {
  int64_t size = ChannelChunk<T, ChannelError<T>>::size(args) + args.e * padded<T>(args.f);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_forward<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

template <class T>
void channel_error_grad(Exec& exec, const ChannelErrorGrad<T>& args) {
  int64_t size = ChannelGradient<T>::size(args);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_gradient<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

STAR_INSTANTIATE(channel_error, ChannelError)
STAR_INSTANTIATE(channel_error_grad, ChannelErrorGrad)

}  // namespace star::cpu::STAR_TARGET
