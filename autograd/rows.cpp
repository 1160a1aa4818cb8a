#include "autograd/rows.h"

#include "autograd/values.h"

namespace star::autograd {

Var rms_norm(const Var& x, const Var& w) {
  Exec& exec = x.exec();
  int64_t n = x.shape().back(), rows = x.value().numel() / std::max<int64_t>(n, 1);
  require(w.shape() == Shape{n}, "rms_norm: input {} and weight {}", x.shape(), w.shape());
  Tensor in = exec.contiguous(x.value()), weight = exec.contiguous(w.value());
  Tensor y = exec.empty(x.shape(), x.dtype()), inverse = exec.empty({rows}, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    exec.kernels<T>().rms_norm(exec, {.rows = rows,
                                      .n = n,
                                      .epsilon = T(1e-5),
                                      .x = in.data<T>(),
                                      .w = weight.data<T>(),
                                      .y = y.data<T>(),
                                      .inverse = inverse.data<T>()});
  });
  return x.tape().record(Primitive::rms_norm, y, {x, w}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), home = x.tape().target(x);
    Tensor dx = home.defined() ? home : exec.empty(in.shape(), in.dtype());
    Tensor dw = exec.zeros(weight.shape(), in.dtype());
    dispatch(in.dtype(), [&]<class T>() {
      exec.kernels<T>().rms_norm_grad(exec, {.rows = rows,
                                             .n = n,
                                             .add = home.defined(),
                                             .x = in.data<T>(),
                                             .w = weight.data<T>(),
                                             .inverse = inverse.data<T>(),
                                             .dy = g.data<T>(),
                                             .dx = dx.data<T>(),
                                             .dw = dw.data<T>()});
    });
    if (!home.defined()) x.tape().add(x, dx);
    w.tape().add(w, dw);
  });
}

namespace {

Visibility visibility_of(const Var& scores, CausalMask mask, int64_t& rows) {
  require(scores.value().rank() >= 2, "scores: shape {} lacks queries and keys", scores.shape());
  Visibility v{.queries = scores.size(-2),
               .keys = scores.size(-1),
               .offset = mask.offset,
               .window = mask.window};
  require(mask.offset >= 0 && mask.window >= 0 && mask.offset + v.queries <= v.keys,
          "scores: {} queries from position {} do not fit {} keys", v.queries, mask.offset, v.keys);
  rows = scores.value().numel() / std::max<int64_t>(v.keys, 1);
  return v;
}

}  // namespace

Var softmax(const Var& scores, CausalMask mask, double factor) {
  Exec& exec = scores.exec();
  int64_t rows;
  Visibility v = visibility_of(scores, mask, rows);
  Tensor in = exec.contiguous(scores.value()), y = exec.empty(scores.shape(), scores.dtype());
  dispatch(in.dtype(), [&]<class T>() {
    exec.kernels<T>().softmax(
        exec,
        {.rows = rows, .visibility = v, .scale = T(factor), .x = in.data<T>(), .y = y.data<T>()});
  });
  return scores.tape().record(Primitive::softmax, y, {scores}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), dx = exec.empty(y.shape(), y.dtype());
    dispatch(y.dtype(), [&]<class T>() {
      exec.kernels<T>().softmax_grad(exec, {.rows = rows,
                                            .visibility = v,
                                            .scale = T(factor),
                                            .y = y.data<T>(),
                                            .dy = g.data<T>(),
                                            .dx = dx.data<T>()});
    });
    scores.tape().add(scores, dx);
  });
}

Var visible(const Var& scores, CausalMask mask) {
  Exec& exec = scores.exec();
  int64_t rows;
  Visibility v = visibility_of(scores, mask, rows);
  auto apply = [=, &exec](const Tensor& x) {
    Tensor in = exec.contiguous(x), y = exec.empty(x.shape(), x.dtype());
    dispatch(x.dtype(), [&]<class T>() {
      exec.kernels<T>().visible(
          exec, {.rows = rows, .visibility = v, .x = in.data<T>(), .y = y.data<T>()});
    });
    return y;
  };
  // Linear and diagonal: its own gradient.
  return scores.tape().record(Primitive::visible, apply(scores.value()), {scores},
                              [=](const Tensor& dy) { scores.tape().add(scores, apply(dy)); });
}

Var embedding(const Var& table, const Tensor& index) {
  Exec& exec = table.exec();
  int64_t rows = table.size(0), d = table.size(1), n = index.numel();
  for (int64_t i = 0; i < n && !index.device(); ++i) {
    int32_t at = index.data<int32_t>()[i];
    require(at >= 0 && at < rows, "embedding: index {} outside 0…{}", at, rows - 1);
  }
  Shape shape = index.shape();
  shape.push_back(d);
  Tensor y = exec.empty(shape, table.dtype());
  dispatch(table.dtype(), [&]<class T>() {
    exec.kernels<T>().gather_rows(exec, {.n = n,
                                         .d = d,
                                         .table_rows = rows,
                                         .index = index.data<int32_t>(),
                                         .table = table.value().data<T>(),
                                         .y = y.data<T>()});
  });
  return table.tape().record(Primitive::embedding, y, {table}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), home = table.tape().target(table);
    Tensor out = home.defined() ? home : exec.zeros(table.shape(), table.dtype());
    dispatch(g.dtype(), [&]<class T>() {
      exec.kernels<T>().scatter_rows(exec, {.n = n,
                                            .d = d,
                                            .table_rows = rows,
                                            .index = index.data<int32_t>(),
                                            .x = g.data<T>(),
                                            .table = out.data<T>()});
    });
    if (!home.defined()) table.tape().add(table, out);
  });
}

Tensor row_losses(Exec& exec, const Tensor& logits, const Tensor& targets, double weight,
                  Tensor* slope, Tensor* hit) {
  const int64_t rows = logits.size(0), classes = logits.size(1);
  require(targets.shape() == Shape{rows}, "cross_entropy: logits {} and targets {}", logits.shape(),
          targets.shape());
  for (int64_t i = 0; i < rows && !targets.device(); ++i) {
    int32_t at = targets.data<int32_t>()[i];
    require(at < classes, "cross_entropy: target {} of {} classes", at, classes);
  }
  Tensor in = exec.contiguous(logits), losses = exec.empty({rows}, in.dtype());
  if (slope) *slope = exec.empty(in.shape(), in.dtype());
  if (hit) *hit = exec.empty({rows}, in.dtype());
  dispatch(in.dtype(), [&]<class T>() {
    exec.kernels<T>().cross_entropy(exec, {.rows = rows,
                                           .classes = classes,
                                           .logits = in.data<T>(),
                                           .targets = targets.data<int32_t>(),
                                           .loss = losses.data<T>(),
                                           .grad = slope ? slope->data<T>() : nullptr,
                                           .hit = hit ? hit->data<T>() : nullptr,
                                           .weight = T(weight)});
  });
  return losses;
}

Var cross_entropy(const Var& logits, const Tensor& targets, TargetRows* of_rows, int64_t of) {
  Exec& exec = logits.exec();
  const std::vector<double> classes = targets.to_doubles();
  const int64_t counted =
      of > 0 ? of : std::count_if(classes.begin(), classes.end(), [](double c) { return c >= 0; });
  const double weight = counted ? 1.0 / double(counted) : 0.0;
  Tensor grad, hits;
  const Tensor losses =
      row_losses(exec, logits.value(), targets, weight, logits.needs_grad() ? &grad : nullptr,
                 of_rows ? &hits : nullptr);
  double total = 0;
  for (double each : losses.to_doubles()) total += each;
  if (of_rows) *of_rows = {losses, hits};
  Tensor loss = exec.full({}, losses.dtype(), total * weight);
  return logits.tape().record(
      Primitive::cross_entropy, loss, {logits}, [=, &exec](const Tensor& dy) {
        double outer = dy.item();
        logits.tape().add(logits, outer == 1 ? grad : values::scale(exec, grad, outer));
      });
}

}  // namespace star::autograd
