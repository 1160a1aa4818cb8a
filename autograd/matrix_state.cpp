#include "autograd/matrix_state.h"

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/views.h"

namespace star::autograd {

Var matrix_state(const MatrixStateInputs& in, const Tensor& start, Tensor* last) {
  const Var &q = in.q, &k = in.k, &v = in.v, &decay = in.decay, &strength = in.strength;
  require(q.value().rank() == 5 && k.value().rank() == 4 && v.value().rank() == 4 &&
              k.shape() == Shape{q.size(0), q.size(1), q.size(2), q.size(4)} &&
              v.shape() == k.shape().with(3, v.size(3)),
          "matrix_state: q {}, k {}, v {}", q.shape(), k.shape(), v.shape());
  int64_t B = q.size(0), L = q.size(1), H = q.size(2), G = q.size(3), e = q.size(4), f = v.size(3);
  for (const Var* x : {&decay, &strength})
    require(!x->defined() || x->shape() == Shape{B, L, H}, "matrix_state: {} for q {}", x->shape(),
            q.shape());
  require(!start.defined() || start.shape() == Shape{B, H, e, f}, "matrix_state: state {}",
          start.shape());
  Exec& exec = q.exec();
  auto given = [&](const Var& x) { return x.defined() ? exec.contiguous(x.value()) : Tensor(); };
  Tensor Q = given(q), K = given(k), V = given(v), a = given(decay), w = given(strength);
  Tensor S = start.defined() ? exec.contiguous(start) : start;
  Tensor y = exec.empty(q.shape().with(4, f), q.dtype());
  if (last) *last = exec.empty({B, H, e, f}, q.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    auto at = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
    exec.kernels<T>().matrix_state(exec, {.batch = B,
                                          .length = L,
                                          .heads = H,
                                          .group = G,
                                          .e = e,
                                          .f = f,
                                          .scale = T(in.factor),
                                          .q = at(Q),
                                          .k = at(K),
                                          .v = at(V),
                                          .decay = at(a),
                                          .strength = at(w),
                                          .start = at(S),
                                          .y = at(y),
                                          .last = last ? at(*last) : nullptr});
  });
  std::vector<Var> inputs{q, k, v};
  for (const Var* x : {&decay, &strength})
    if (x->defined()) inputs.push_back(*x);
  return q.tape().record(Primitive::matrix_state, y, inputs, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy);
    auto like = [&](const Tensor& t) {
      return t.defined() ? exec.empty(t.shape(), t.dtype()) : Tensor();
    };
    Tensor dq = like(Q), dk = like(K), dv = like(V), da = like(a), dw = like(w);
    dispatch(y.dtype(), [&]<class T>() {
      auto at = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
      exec.kernels<T>().matrix_state_grad(exec, {.batch = B,
                                                 .length = L,
                                                 .heads = H,
                                                 .group = G,
                                                 .e = e,
                                                 .f = f,
                                                 .scale = T(in.factor),
                                                 .q = at(Q),
                                                 .k = at(K),
                                                 .v = at(V),
                                                 .decay = at(a),
                                                 .strength = at(w),
                                                 .dy = at(g),
                                                 .dq = at(dq),
                                                 .dk = at(dk),
                                                 .dv = at(dv),
                                                 .d_decay = at(da),
                                                 .d_strength = at(dw)});
    });
    Tape& tape = in.q.tape();
    tape.add(in.q, dq);
    tape.add(in.k, dk);
    tape.add(in.v, dv);
    if (da.defined()) tape.add(in.decay, da);
    if (dw.defined()) tape.add(in.strength, dw);
  });
}

Var delta_error(const Var& k, const Var& v, const Var& decay, const Var& strength,
                const Tensor& start) {
  require(k.value().rank() == 4 && v.shape() == k.shape().with(3, v.size(-1)),
          "delta_error: k {}, v {}", k.shape(), v.shape());
  int64_t B = k.size(0), L = k.size(1), H = k.size(2), e = k.size(3), f = v.size(3);
  for (const Var* x : {&decay, &strength})
    require(x->shape() == Shape{B, L, H}, "delta_error: {} for k {}", x->shape(), k.shape());
  require(!start.defined() || start.shape() == Shape{B, H, e, f}, "delta_error: state {}",
          start.shape());
  Exec& exec = k.exec();
  Tensor K = exec.contiguous(k.value()), V = exec.contiguous(v.value());
  Tensor a = exec.contiguous(decay.value()), w = exec.contiguous(strength.value());
  Tensor S = start.defined() ? exec.contiguous(start) : start;
  Tensor x = exec.empty(v.shape(), v.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    exec.kernels<T>().delta_error(exec, {.batch = B,
                                         .length = L,
                                         .heads = H,
                                         .e = e,
                                         .f = f,
                                         .k = K.data<T>(),
                                         .v = V.data<T>(),
                                         .decay = a.data<T>(),
                                         .strength = w.data<T>(),
                                         .start = S.defined() ? S.data<T>() : nullptr,
                                         .x = x.data<T>()});
  });
  return k.tape().record(
      Primitive::delta_error, x, {k, v, decay, strength}, [=, &exec](const Tensor& dy) {
        Tensor dx = exec.contiguous(dy);
        auto like = [&](const Tensor& t) { return exec.empty(t.shape(), t.dtype()); };
        Tensor dk = like(K), dv = like(x), da = like(a), dw = like(w);
        dispatch(x.dtype(), [&]<class T>() {
          exec.kernels<T>().delta_error_grad(exec, {.batch = B,
                                                    .length = L,
                                                    .heads = H,
                                                    .e = e,
                                                    .f = f,
                                                    .k = K.data<T>(),
                                                    .decay = a.data<T>(),
                                                    .strength = w.data<T>(),
                                                    .x = x.data<T>(),
                                                    .dx = dx.data<T>(),
                                                    .dk = dk.data<T>(),
                                                    .dv = dv.data<T>(),
                                                    .d_decay = da.data<T>(),
                                                    .d_strength = dw.data<T>()});
        });
        Tape& tape = k.tape();
        tape.add(k, dk);
        tape.add(v, dv);
        tape.add(decay, da);
        tape.add(strength, dw);
      });
}

Var delta_transitions(const Var& k, const Var& w, const Var& a) {
  int64_t R = k.size(0), L = k.size(1), N = k.size(2);
  Tape& tape = k.tape();
  std::vector<double> unit(size_t(N * N), 0.0);
  for (int64_t n = 0; n < N; ++n) unit[size_t(n * N + n)] = 1;
  Tensor one = k.exec().from({1, 1, N, N}, unit, k.dtype());
  Var now = tape.constant(one.expand({R, 1, N, N}));
  Var kk = contract_pair(k, "rtn", k, "rtm", "rtnm");
  const Shape columns{R, L, 1, a.value().rank() == 3 ? N : 1};
  Var M = reshape(a, columns) * (tape.constant(one) - reshape(w, {R, L, 1, 1}) * kk);
  Var row = now, all;
  for (int64_t i = 0; i < L; ++i) {
    if (i > 0) {
      Var step = reshape(narrow(M, 1, i, 1), {R, N, N});
      row = concat(contract_pair(step, "rnp", row, "rjpm", "rjnm"), now, 1);
    }
    Var later = tape.constant(k.exec().zeros({R, L - 1 - i, N, N}, k.dtype()));
    Var whole = reshape(i + 1 < L ? concat(row, later, 1) : row, {R, 1, L, N, N});
    all = i > 0 ? concat(all, whole, 1) : whole;
  }
  return all;
}

}  // namespace star::autograd
