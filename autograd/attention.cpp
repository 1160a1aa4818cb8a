#include "autograd/attention.h"

namespace star {

Var attention(const Var& q, const Var& k, const Var& v, CausalMask mask, double factor) {
  require(q.value().rank() == 5 && k.value().rank() == 4 && v.value().rank() == 4 &&
              k.shape() == Shape{q.size(0), k.size(1), q.size(2), q.size(4)} &&
              v.shape() == k.shape().with(3, v.size(3)),
          "attention: queries {}, keys {}, values {}", q.shape(), k.shape(), v.shape());
  Visibility seen{
      .queries = q.size(1), .keys = k.size(1), .offset = mask.offset, .window = mask.window};
  require(mask.offset >= 0 && mask.window >= 0 && mask.offset + seen.queries <= seen.keys,
          "attention: {} queries from position {} do not fit {} keys", seen.queries, mask.offset,
          seen.keys);
  Exec& exec = q.exec();
  int64_t B = q.size(0), H = q.size(2), G = q.size(3), e = q.size(4), f = v.size(3);
  Tensor Q = exec.contiguous(q.value()), K = exec.contiguous(k.value());
  Tensor V = exec.contiguous(v.value()), y = exec.empty(q.shape().with(4, f), q.dtype());
  Tensor log_sum = q.tape().recording() ? exec.empty({B, H, G, seen.queries}, q.dtype()) : Tensor();
  dispatch(y.dtype(), [&]<class T>() {
    exec.kernels<T>().attention(exec, {.batch = B,
                                       .heads = H,
                                       .group = G,
                                       .e = e,
                                       .f = f,
                                       .visibility = seen,
                                       .scale = T(factor),
                                       .q = Q.data<T>(),
                                       .k = K.data<T>(),
                                       .v = V.data<T>(),
                                       .y = y.data<T>(),
                                       .log_sum = log_sum.defined() ? log_sum.data<T>() : nullptr});
  });
  return q.tape().record(Primitive::attention, y, {q, k, v}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy);
    auto like = [&](const Tensor& t) { return exec.empty(t.shape(), t.dtype()); };
    Tensor dq = like(Q), dk = like(K), dv = like(V);
    dispatch(y.dtype(), [&]<class T>() {
      exec.kernels<T>().attention_grad(exec, {.batch = B,
                                              .heads = H,
                                              .group = G,
                                              .e = e,
                                              .f = f,
                                              .visibility = seen,
                                              .scale = T(factor),
                                              .q = Q.data<T>(),
                                              .k = K.data<T>(),
                                              .v = V.data<T>(),
                                              .y = y.data<T>(),
                                              .log_sum = log_sum.data<T>(),
                                              .dy = g.data<T>(),
                                              .dq = dq.data<T>(),
                                              .dk = dk.data<T>(),
                                              .dv = dv.data<T>()});
    });
    q.tape().add(q, dq);
    k.tape().add(k, dk);
    v.tape().add(v, dv);
  });
}

}  // namespace star
