// A matrix-valued state with a decay a key channel, by chunks.
#include "cpu/channel_chunk.h"

namespace star::cpu::STAR_TARGET {
namespace {

template <class T>
void head_forward(const ChannelState<T>& args, int64_t head, Scratch<T> scratch) {
  ChannelChunk<T, ChannelState<T>> c(args, head, scratch);
  Tile<T> S = scratch.tile(args.e, args.f);
  fill_channel_state(args.start, head, args.e, args.f, S);
  for (int64_t begin = 0; begin < args.length; begin += kChannelChunk) {
    c.load_chunk(begin);
    copy_tile<T>(c.rows, args.e, c.mine(args.q, args.e), c.q, args.scale);
    c.scores(true);
    c.fade_queries();
    tile_product<T>(c.rows, args.f, args.e, c.q, S, c.y, false);
    tile_product<T>(c.rows, args.f, c.rows, c.P, c.v, c.y, true);
    store_tile<T>(c.rows, args.f, c.y, c.mine(args.y, args.f));
    if (args.last || begin + kChannelChunk < args.length) c.write_to(S);
  }
  if (args.last)
    store_tile<T>(args.e, args.f, S, Tile<T>{args.last + head * args.e * args.f, args.f});
}

template <class T>
void head_gradient(const ChannelStateGrad<T>& args, int64_t head, Scratch<T> scratch) {
  ChannelGradient<T> h(args, head, scratch);
  h.start();
  for (int64_t m = h.chunks(args.length) - 1; m >= 0; --m) {
    h.open(m);
    auto& c = h.c;
    copy_tile<T>(c.rows, args.e, c.mine(args.q, args.e), c.q, args.scale);
    copy_tile<T>(c.rows, args.f, c.mine(args.dy, args.f), h.dy);
    h.read(true);
    h.close();
    for (int64_t i = 0; i < c.rows; ++i) scale_row(h.dq.from(i).data, h.dq.row, args.scale);
    store_tile<T>(c.rows, args.e, h.dq, c.mine(args.dq, args.e));
    store_tile<T>(c.rows, args.e, h.dk, c.mine(args.dk, args.e));
    store_tile<T>(c.rows, args.f, h.dv, c.mine(args.dv, args.f));
  }
}

}  // namespace

template <class T>
void channel_state(Exec& exec, const ChannelState<T>& args) {
  int64_t size = ChannelChunk<T, ChannelState<T>>::size(args) + args.e * padded<T>(args.f);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_forward<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

template <class T>
void channel_state_grad(Exec& exec, const ChannelStateGrad<T>& args) {
  int64_t size = ChannelGradient<T>::size(args);
  Tensor scratch = exec.empty({exec.pool().threads(), size}, dtype_of<T>);
  exec.pool().run(args.batch * args.heads, [&](int64_t head, int thread) {
    head_gradient<T>(args, head, {scratch.template data<T>() + thread * size});
  });
}

STAR_INSTANTIATE(channel_state, ChannelState)
STAR_INSTANTIATE(channel_state_grad, ChannelStateGrad)

}  // namespace star::cpu::STAR_TARGET
