#include "autograd/sequence.h"

#include "autograd/values.h"
#include "autograd/views.h"

namespace star {

namespace {
constexpr double kRotaryBase = 10000;
}

Var rotary(const Var& x, int64_t position) {
  require(x.value().rank() == 4 && x.size(3) % 2 == 0,
          "rotary: shape {}; the head width must be even", x.shape());
  auto turn = [=](const Tensor& t, bool inverse) {
    Exec& exec = x.exec();
    Tensor in = exec.contiguous(t), y = exec.empty(t.shape(), t.dtype());
    dispatch(t.dtype(), [&]<class T>() {
      exec.kernels<T>().rotary(exec, {.batch = t.size(0),
                                      .length = t.size(1),
                                      .heads = t.size(2),
                                      .e = t.size(3),
                                      .position = position,
                                      .base = kRotaryBase,
                                      .inverse = inverse,
                                      .x = in.data<T>(),
                                      .y = y.data<T>()});
    });
    return y;
  };
  return x.tape().record(Primitive::rotary, turn(x.value(), false), {x},
                         [=](const Tensor& dy) { x.tape().add(x, turn(dy, true)); });
}

namespace {

template <class T>
auto conv_by(const Kernels<T>& kernels, ConvMethod method) {
  switch (method) {
    case ConvMethod::direct:
      return kernels.conv;
    case ConvMethod::fourier:
      return kernels.conv_fourier;
  }
  fail("conv: no method {}", int(method));
}

template <class T>
auto conv_kernel_grad_by(const Kernels<T>& kernels, ConvMethod method) {
  switch (method) {
    case ConvMethod::direct:
      return kernels.conv_kernel_grad;
    case ConvMethod::fourier:
      return kernels.conv_fourier_kernel_grad;
  }
  fail("conv: no method {}", int(method));
}

}  // namespace

Var conv(const Var& x, const Var& k, ConvMethod method) {
  require(x.value().rank() == 3 && k.value().rank() == 2 && x.size(2) == k.size(1),
          "conv: input {} and kernel {}", x.shape(), k.shape());
  Exec& exec = x.exec();
  Tensor in = exec.contiguous(x.value()), kernel = exec.contiguous(k.value());
  int64_t B = x.size(0), L = x.size(1), C = x.size(2), taps = k.size(0);
  auto apply = [=, &exec](const Tensor& t, bool transpose) {
    Tensor y = exec.empty(t.shape(), t.dtype());
    dispatch(t.dtype(), [&]<class T>() {
      auto run = conv_by<T>(exec.kernels<T>(), method);
      run(exec, {.batch = B,
                 .length = L,
                 .channels = C,
                 .taps = taps,
                 .transpose = transpose,
                 .x = t.data<T>(),
                 .k = kernel.data<T>(),
                 .y = y.data<T>()});
    });
    return y;
  };
  return x.tape().record(Primitive::conv, apply(in, false), {x, k}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy);
    if (x.needs_grad()) x.tape().add(x, apply(g, true));
    if (!k.needs_grad()) return;
    Tensor dk = exec.empty({taps, C}, in.dtype());
    dispatch(in.dtype(), [&]<class T>() {
      auto run = conv_kernel_grad_by<T>(exec.kernels<T>(), method);
      run(exec, {.batch = B,
                 .length = L,
                 .channels = C,
                 .taps = taps,
                 .x = in.data<T>(),
                 .dy = g.data<T>(),
                 .dk = dk.data<T>()});
    });
    k.tape().add(k, dk);
  });
}

Var gated_conv(const Var& c, const Var& k, const Var& b, const Var& v) {
  require(c.value().rank() == 3 && b.shape() == c.shape() && v.shape() == c.shape() &&
              k.value().rank() == 2 && k.size(1) == c.size(2),
          "gated_conv: gates {} and {}, input {}, kernel {}", c.shape(), b.shape(), v.shape(),
          k.shape());
  Exec& exec = c.exec();
  Tensor C = exec.contiguous(c.value()), K = exec.contiguous(k.value());
  Tensor B = exec.contiguous(b.value()), V = exec.contiguous(v.value());
  Tensor y = exec.empty(c.shape(), c.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    exec.kernels<T>().gated_conv(exec, {.batch = C.size(0),
                                        .length = C.size(1),
                                        .channels = C.size(2),
                                        .taps = K.size(0),
                                        .c = C.data<T>(),
                                        .b = B.data<T>(),
                                        .v = V.data<T>(),
                                        .k = K.data<T>(),
                                        .y = y.data<T>()});
  });
  return c.tape().record(Primitive::gated_conv, y, {c, k, b, v}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), dk = exec.empty(K.shape(), K.dtype());
    auto like = [&](const Tensor& t) { return exec.empty(t.shape(), t.dtype()); };
    Tensor dc = like(C), db = like(B), dv = like(V);
    dispatch(g.dtype(), [&]<class T>() {
      exec.kernels<T>().gated_conv_grad(exec, {.batch = C.size(0),
                                               .length = C.size(1),
                                               .channels = C.size(2),
                                               .taps = K.size(0),
                                               .c = C.data<T>(),
                                               .b = B.data<T>(),
                                               .v = V.data<T>(),
                                               .k = K.data<T>(),
                                               .dy = g.data<T>(),
                                               .dc = dc.data<T>(),
                                               .db = db.data<T>(),
                                               .dv = dv.data<T>(),
                                               .dk = dk.data<T>()});
    });
    c.tape().add(c, dc);
    b.tape().add(b, db);
    v.tape().add(v, dv);
    k.tape().add(k, dk);
  });
}

Var scan(const Var& a, const Var& b, const Tensor& h0) {
  require(a.value().rank() == 3 && a.shape() == b.shape(), "scan: {} and {}", a.shape(), b.shape());
  Exec& exec = a.exec();
  int64_t B = a.size(0), L = a.size(1), C = a.size(2);
  require(!h0.defined() || h0.shape() == Shape{B, C}, "scan: state {}", h0.shape());
  Tensor decay = exec.contiguous(a.value());
  auto run = [=, &exec](const Tensor& input, const Tensor& start, bool reverse) {
    Tensor h = exec.empty(input.shape(), input.dtype());
    dispatch(h.dtype(), [&]<class T>() {
      exec.kernels<T>().scan(exec, {.batch = B,
                                    .length = L,
                                    .channels = C,
                                    .reverse = reverse,
                                    .a = decay.data<T>(),
                                    .b = input.data<T>(),
                                    .h0 = start.defined() ? start.data<T>() : nullptr,
                                    .h = h.data<T>()});
    });
    return h;
  };
  Tensor start = h0.defined() ? exec.contiguous(h0) : h0;
  Tensor h = run(exec.contiguous(b.value()), start, false);
  // With g_t = dy_t + a_{t+1} g_{t+1}:  db_t = g_t,  da_t = g_t h_{t−1}.
  return a.tape().record(Primitive::scan, h, {a, b}, [=, &exec](const Tensor& dy) {
    Tensor g = run(exec.contiguous(dy), {}, true);
    b.tape().add(b, g);
    if (!a.needs_grad()) return;
    Tensor before = exec.empty(h.shape(), h.dtype());
    if (L > 1) exec.copy(h.narrow(1, 0, L - 1), before.narrow(1, 1, L - 1));
    Tensor first = before.narrow(1, 0, 1);
    exec.copy(start.defined() ? start.unsqueeze(1) : exec.zeros(first.shape(), h.dtype()), first);
    a.tape().add(a, values::binary(exec, Binary::mul, g, before));
  });
}

Var gated_scan(const Var& u, const Var& v, const Tensor& h0) {
  require(u.value().rank() == 3 && u.shape() == v.shape(), "gated_scan: {} and {}", u.shape(),
          v.shape());
  Exec& exec = u.exec();
  int64_t B = u.size(0), L = u.size(1), C = u.size(2);
  require(!h0.defined() || h0.shape() == Shape{B, C}, "gated_scan: state {}", h0.shape());
  Tensor U = exec.contiguous(u.value()), V = exec.contiguous(v.value());
  Tensor start = h0.defined() ? exec.contiguous(h0) : h0, h = exec.empty(U.shape(), U.dtype());
  dispatch(h.dtype(), [&]<class T>() {
    auto at = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
    exec.kernels<T>().gated_scan(exec, {.batch = B,
                                        .length = L,
                                        .channels = C,
                                        .u = at(U),
                                        .v = at(V),
                                        .h0 = at(start),
                                        .h = at(h)});
  });
  return u.tape().record(Primitive::gated_scan, h, {u, v}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), du = exec.empty(U.shape(), U.dtype());
    Tensor dv = exec.empty(U.shape(), U.dtype());
    dispatch(h.dtype(), [&]<class T>() {
      auto at = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
      exec.kernels<T>().gated_scan_grad(exec, {.batch = B,
                                               .length = L,
                                               .channels = C,
                                               .u = at(U),
                                               .v = at(V),
                                               .h0 = at(start),
                                               .h = at(h),
                                               .dh = at(g),
                                               .du = at(du),
                                               .dv = at(dv)});
    });
    u.tape().add(u, du);
    v.tape().add(v, dv);
  });
}

Var cumulative_product(const Var& a) {
  Exec& exec = a.exec();
  Var nothing = a.tape().constant(exec.zeros(a.shape(), a.dtype()));
  return scan(a, nothing, exec.full({a.size(0), a.size(2)}, a.dtype(), 1));
}

Var remaining_product(const Var& a) {
  Exec& exec = a.exec();
  int64_t L = a.size(1);
  Var behind = a.tape().constant(exec.full({a.size(0), 1, a.size(2)}, a.dtype(), 1));
  if (L > 1) behind = concat(behind, flip(narrow(a, 1, 1, L - 1), 1), 1);
  return flip(cumulative_product(behind), 1);
}

Var decay(const Var& a) {
  require(a.value().rank() == 3, "decay: shape {}", a.shape());
  Exec& exec = a.exec();
  int64_t B = a.size(0), L = a.size(1), C = a.size(2);
  Tensor in = exec.contiguous(a.value()), y = exec.empty({B, C, L, L}, a.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    exec.kernels<T>().decay(
        exec, {.batch = B, .length = L, .channels = C, .a = in.data<T>(), .y = y.data<T>()});
  });
  return a.tape().record(Primitive::decay, y, {a}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), da = exec.empty(in.shape(), in.dtype());
    dispatch(y.dtype(), [&]<class T>() {
      exec.kernels<T>().decay_grad(exec, {.batch = B,
                                          .length = L,
                                          .channels = C,
                                          .a = in.data<T>(),
                                          .y = y.data<T>(),
                                          .dy = g.data<T>(),
                                          .da = da.data<T>()});
    });
    a.tape().add(a, da);
  });
}

Var selective_scan(const Var& dt, const Var& A, const Var& B, const Var& C, const Var& v,
                   const Tensor& h0, Tensor* last) {
  Exec& exec = dt.exec();
  int64_t batch = dt.size(0), L = dt.size(1), d = dt.size(2), N = A.size(0);
  Shape by_state{batch, L, N};
  require(
      v.shape() == dt.shape() && A.size(1) == d && B.shape() == by_state && C.shape() == by_state,
      "selective_scan: dt {}, A {}, B {}, C {}, v {}", dt.shape(), A.shape(), B.shape(), C.shape(),
      v.shape());
  Tensor in[5];
  const Var* vars[5] = {&dt, &A, &B, &C, &v};
  for (int i = 0; i < 5; ++i) in[i] = exec.contiguous(vars[i]->value());
  Tensor y = exec.empty(v.shape(), v.dtype());
  Tensor checkpoints = v.tape().recording()
                           ? exec.empty({batch, blocks_of(L, kScanChunk), N, d}, v.dtype())
                           : Tensor();
  if (last) *last = exec.empty({batch, N, d}, v.dtype());
  Tensor start = h0.defined() ? exec.contiguous(h0) : h0;
  dispatch(y.dtype(), [&]<class T>() {
    auto data = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
    exec.kernels<T>().selective_scan(exec, {.batch = batch,
                                            .length = L,
                                            .d = d,
                                            .n = N,
                                            .dt = data(in[0]),
                                            .A = data(in[1]),
                                            .B = data(in[2]),
                                            .C = data(in[3]),
                                            .v = data(in[4]),
                                            .h0 = data(start),
                                            .y = data(y),
                                            .last = last ? data(*last) : nullptr,
                                            .checkpoints = data(checkpoints)});
  });
  return v.tape().record(
      Primitive::selective_scan, y, {dt, A, B, C, v},
      [=, &exec, dt_in = in[0], A_in = in[1], B_in = in[2], C_in = in[3],
       v_in = in[4]](const Tensor& dy) {
        Tensor g = exec.contiguous(dy), dA = exec.zeros(A_in.shape(), y.dtype());
        auto like = [&](const Tensor& t) { return exec.empty(t.shape(), t.dtype()); };
        Tensor ddt = like(dt_in), dB = like(B_in), dC = like(C_in), dv = like(v_in);
        dispatch(y.dtype(), [&]<class T>() {
          exec.kernels<T>().selective_scan_grad(exec, {.batch = batch,
                                                       .length = L,
                                                       .d = d,
                                                       .n = N,
                                                       .dt = dt_in.data<T>(),
                                                       .A = A_in.data<T>(),
                                                       .B = B_in.data<T>(),
                                                       .C = C_in.data<T>(),
                                                       .v = v_in.data<T>(),
                                                       .checkpoints = checkpoints.data<T>(),
                                                       .dy = g.data<T>(),
                                                       .d_dt = ddt.data<T>(),
                                                       .dA = dA.data<T>(),
                                                       .dB = dB.data<T>(),
                                                       .dC = dC.data<T>(),
                                                       .dv = dv.data<T>()});
        });
        Tape& tape = v.tape();
        tape.add(dt, ddt);
        tape.add(A, dA);
        tape.add(B, dB);
        tape.add(C, dC);
        tape.add(v, dv);
      });
}

}  // namespace star
