#include "autograd/values.h"

namespace star::values {

Tensor unary(Exec& exec, Unary op, const Tensor& x) {
  Tensor in = exec.contiguous(x), y = exec.empty(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    exec.kernels<T>().unary(exec, {.op = op, .n = in.numel(), .x = in.data<T>(), .y = y.data<T>()});
  });
  return y;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape out = a.rank() >= b.rank() ? a : b;
  const Shape& other = a.rank() >= b.rank() ? b : a;
  int lead = out.rank() - other.rank();
  for (int i = 0; i < other.rank(); ++i) {
    int64_t x = out[lead + i], y = other[i];
    require(x == y || x == 1 || y == 1, "shapes {} and {} do not broadcast", a, b);
    out[lead + i] = x == 1 ? y : x;
  }
  return out;
}

Tensor binary(Exec& exec, Binary op, const Tensor& a, const Tensor& b) {
  require(a.dtype() == b.dtype(), "elementwise: {} with {}", dtype_name(a.dtype()),
          dtype_name(b.dtype()));
  Shape shape = broadcast(a.shape(), b.shape());
  auto strides = [&](const Tensor& t) {
    Shape s;
    int lead = shape.rank() - t.rank();
    for (int i = 0; i < shape.rank(); ++i)
      s.push_back(i < lead || t.shape()[i - lead] == 1 ? 0 : t.strides()[i - lead]);
    return s;
  };
  Tensor out = exec.empty(shape, a.dtype());
  dispatch(a.dtype(), [&]<class T>() {
    exec.kernels<T>().binary(exec, {.op = op,
                                    .shape = shape,
                                    .a_strides = strides(a),
                                    .b_strides = strides(b),
                                    .a = a.data<T>(),
                                    .b = b.data<T>(),
                                    .out = out.data<T>()});
  });
  return out;
}

Tensor scale(Exec& exec, const Tensor& x, double factor, double shift) {
  Tensor in = exec.contiguous(x), y = exec.empty(x.shape(), x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    exec.kernels<T>().scale(exec, {.n = in.numel(),
                                   .factor = T(factor),
                                   .shift = T(shift),
                                   .x = in.data<T>(),
                                   .y = y.data<T>()});
  });
  return y;
}

Tensor sum(Exec& exec, const Tensor& x, std::span<const int> axes, bool keep) {
  unsigned reduce = 0;
  for (int axis : axes) {
    require(axis >= -x.rank() && axis < x.rank(), "sum: axis {} of {}", axis, x.shape());
    reduce |= 1u << (axis < 0 ? axis + x.rank() : axis);
  }
  Shape kept, kept_strides, reduced, reduced_strides, shape;
  for (int i = 0; i < x.rank(); ++i) {
    bool gone = reduce >> i & 1;
    (gone ? reduced : kept).push_back(x.shape()[i]);
    (gone ? reduced_strides : kept_strides).push_back(x.strides()[i]);
    if (!gone || keep) shape.push_back(gone ? 1 : x.shape()[i]);
  }
  Tensor out = exec.empty(shape, x.dtype());
  dispatch(x.dtype(), [&]<class T>() {
    exec.kernels<T>().sum(exec, {.kept = kept,
                                 .kept_strides = kept_strides,
                                 .reduced = reduced,
                                 .reduced_strides = reduced_strides,
                                 .x = x.data<T>(),
                                 .y = out.data<T>()});
  });
  return out;
}

Tensor sum_to(Exec& exec, const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  int lead = x.rank() - shape.rank();
  std::vector<int> axes;
  for (int i = 0; i < x.rank(); ++i)
    if (i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  Tensor out = sum(exec, x, axes, true);
  return out.reshape(shape);
}

}  // namespace star::values
