#include "core/exec.h"

namespace star {

void Exec::fill(const Tensor& t, double value) {
  require(t.contiguous(), "fill: a strided tensor {}", t.shape());
  dispatch(t.dtype(), [&]<class T>() {
    kernels<T>().fill(*this, {.n = t.numel(), .value = T(value), .y = t.data<T>()});
  });
}

Tensor Exec::full(const Shape& shape, DType dtype, double value) {
  Tensor t = empty(shape, dtype);
  fill(t, value);
  return t;
}

Tensor Exec::from(const Shape& shape, std::span<const double> values, DType dtype) {
  require(int64_t(values.size()) == shape.numel(), "tensor: {} values for shape {}", values.size(),
          shape);
  Tensor t = empty(shape, dtype);
  dispatch(dtype, [&]<class T>() { t.assign(std::vector<T>(values.begin(), values.end())); });
  return t;
}

Tensor Exec::from(const Shape& shape, std::span<const int32_t> values) {
  require(int64_t(values.size()) == shape.numel(), "tensor: {} values for shape {}", values.size(),
          shape);
  Tensor t = empty(shape, DType::i32);
  t.assign(values);
  return t;
}

Tensor Exec::contiguous(const Tensor& t) {
  if (t.contiguous()) return t;
  Tensor out = empty(t.shape(), t.dtype());
  copy(t, out);
  return out;
}

void Exec::copy(const Tensor& src, const Tensor& dst, bool accumulate) {
  require(src.shape() == dst.shape() && src.dtype() == dst.dtype(), "copy: {} {} to {} {}",
          dtype_name(src.dtype()), src.shape(), dtype_name(dst.dtype()), dst.shape());
  dispatch(src.dtype(), [&]<class T>() {
    kernels<T>().copy(*this, {.shape = src.shape(),
                              .src_strides = src.strides(),
                              .dst_strides = dst.strides(),
                              .src = src.data<T>(),
                              .dst = dst.data<T>(),
                              .accumulate = accumulate});
  });
}

}  // namespace star
