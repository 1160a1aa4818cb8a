#include "autograd/channel_state.h"

namespace star::autograd {
namespace {

template <class T>
T* at(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

// Shapes that the primitives have in common.
void check(const char* what, const Var& k, const Var& v, const Var& log_decay, const Var& strength,
           const Tensor& start) {
  require(k.value().rank() == 4 && v.value().rank() == 4 &&
              v.shape() == k.shape().with(3, v.size(3)) && log_decay.shape() == k.shape(),
          "{}: k {}, v {}, decay {}", what, k.shape(), v.shape(), log_decay.shape());
  const Shape by_token{k.size(0), k.size(1), k.size(2)};
  require(!strength.defined() || strength.shape() == by_token, "{}: strength {} for k {}", what,
          strength.shape(), k.shape());
  require(!start.defined() || start.shape() == Shape{k.size(0), k.size(2), k.size(3), v.size(3)},
          "{}: state {}", what, start.shape());
}

}  // namespace

Var channel_state(const ChannelStateInputs& in, const Tensor& start, Tensor* last) {
  require(in.q.shape() == in.k.shape(), "channel_state: q {}, k {}", in.q.shape(), in.k.shape());
  check("channel_state", in.k, in.v, in.log_decay, in.strength, start);
  const int64_t B = in.k.size(0), L = in.k.size(1), H = in.k.size(2), e = in.k.size(3),
                f = in.v.size(3);
  Exec& exec = in.q.exec();
  auto given = [&](const Var& x) { return x.defined() ? exec.contiguous(x.value()) : Tensor(); };
  Tensor q = given(in.q), k = given(in.k), v = given(in.v), g = given(in.log_decay);
  Tensor w = given(in.strength), S = start.defined() ? exec.contiguous(start) : start;
  Tensor y = exec.empty(v.shape(), v.dtype());
  if (last) *last = exec.empty({B, H, e, f}, v.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    exec.kernels<T>().channel_state(exec, {.batch = B,
                                           .length = L,
                                           .heads = H,
                                           .e = e,
                                           .f = f,
                                           .scale = T(in.factor),
                                           .q = at<T>(q),
                                           .k = at<T>(k),
                                           .v = at<T>(v),
                                           .log_decay = at<T>(g),
                                           .strength = at<T>(w),
                                           .start = at<T>(S),
                                           .y = at<T>(y),
                                           .last = last ? at<T>(*last) : nullptr});
  });
  std::vector<Var> inputs{in.q, in.k, in.v, in.log_decay};
  if (in.strength.defined()) inputs.push_back(in.strength);
  return in.q.tape().record(Primitive::channel_state, y, inputs, [=, &exec](const Tensor& dy) {
    Tensor d = exec.contiguous(dy);
    auto like = [&](const Tensor& t) {
      return t.defined() ? exec.empty(t.shape(), t.dtype()) : Tensor();
    };
    Tensor dq = like(q), dk = like(k), dv = like(v), dg = like(g), dw = like(w);
    dispatch(y.dtype(), [&]<class T>() {
      exec.kernels<T>().channel_state_grad(exec, {.batch = B,
                                                  .length = L,
                                                  .heads = H,
                                                  .e = e,
                                                  .f = f,
                                                  .scale = T(in.factor),
                                                  .q = at<T>(q),
                                                  .k = at<T>(k),
                                                  .v = at<T>(v),
                                                  .log_decay = at<T>(g),
                                                  .strength = at<T>(w),
                                                  .dy = at<T>(d),
                                                  .dq = at<T>(dq),
                                                  .dk = at<T>(dk),
                                                  .dv = at<T>(dv),
                                                  .d_log_decay = at<T>(dg),
                                                  .d_strength = at<T>(dw)});
    });
    Tape& tape = in.q.tape();
    tape.add(in.q, dq);
    tape.add(in.k, dk);
    tape.add(in.v, dv);
    tape.add(in.log_decay, dg);
    if (dw.defined()) tape.add(in.strength, dw);
  });
}

Var channel_error(const Var& k, const Var& v, const Var& log_decay, const Var& strength,
                  const Tensor& start) {
  require(strength.defined(), "channel_error: no strength");
  check("channel_error", k, v, log_decay, strength, start);
  const int64_t B = k.size(0), L = k.size(1), H = k.size(2), e = k.size(3), f = v.size(3);
  Exec& exec = k.exec();
  Tensor K = exec.contiguous(k.value()), V = exec.contiguous(v.value());
  Tensor g = exec.contiguous(log_decay.value()), w = exec.contiguous(strength.value());
  Tensor S = start.defined() ? exec.contiguous(start) : start;
  Tensor x = exec.empty(v.shape(), v.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    exec.kernels<T>().channel_error(exec, {.batch = B,
                                           .length = L,
                                           .heads = H,
                                           .e = e,
                                           .f = f,
                                           .k = at<T>(K),
                                           .v = at<T>(V),
                                           .log_decay = at<T>(g),
                                           .strength = at<T>(w),
                                           .start = at<T>(S),
                                           .x = at<T>(x)});
  });
  const std::vector<Var> inputs{k, v, log_decay, strength};
  return k.tape().record(Primitive::channel_error, x, inputs, [=, &exec](const Tensor& dy) {
    Tensor dx = exec.contiguous(dy);
    auto like = [&](const Tensor& t) { return exec.empty(t.shape(), t.dtype()); };
    Tensor dk = like(K), dv = like(x), dg = like(g), dw = like(w);
    dispatch(x.dtype(), [&]<class T>() {
      exec.kernels<T>().channel_error_grad(exec, {.batch = B,
                                                  .length = L,
                                                  .heads = H,
                                                  .e = e,
                                                  .f = f,
                                                  .k = at<T>(K),
                                                  .log_decay = at<T>(g),
                                                  .strength = at<T>(w),
                                                  .x = at<T>(x),
                                                  .dx = at<T>(dx),
                                                  .dk = at<T>(dk),
                                                  .dv = at<T>(dv),
                                                  .d_log_decay = at<T>(dg),
                                                  .d_strength = at<T>(dw)});
    });
    Tape& tape = k.tape();
    tape.add(k, dk);
    tape.add(v, dv);
    tape.add(log_decay, dg);
    tape.add(strength, dw);
  });
}

}  // namespace star::autograd
