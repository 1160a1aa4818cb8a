#include "autograd/views.h"

#include "autograd/values.h"

namespace star::autograd {

Var reshape(const Var& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Tensor y = x.exec().contiguous(x.value()).reshape(shape);
  return x.tape().record(Primitive::reshape, y, {x}, [=](const Tensor& dy) {
    x.tape().add(x, x.exec().contiguous(dy).reshape(x.shape()));
  });
}

Var permute(const Var& x, std::vector<int> order) {
  Tensor y = x.value().permute(order);
  return x.tape().record(Primitive::permute, y, {x}, [=](const Tensor& dy) {
    std::vector<int> back(order.size());
    for (size_t i = 0; i < order.size(); ++i) back[size_t(order[i])] = int(i);
    x.tape().add(x, dy.permute(back));
  });
}

Var narrow(const Var& x, int axis, int64_t start, int64_t length) {
  Tensor y = x.value().narrow(axis, start, length);
  return x.tape().record(Primitive::narrow, y, {x}, [=](const Tensor& dy) {
    Tensor dx = x.exec().zeros(x.shape(), x.dtype());
    x.exec().copy(dy, dx.narrow(axis, start, length));
    x.tape().add(x, dx);
  });
}

Var flip(const Var& x, int axis) {
  return x.tape().record(Primitive::flip, x.value().flip(axis), {x},
                         [=](const Tensor& dy) { x.tape().add(x, dy.flip(axis)); });
}

Var concat(const Var& a, const Var& b, int axis) {
  if (axis < 0) axis += a.value().rank();
  int64_t first = a.size(axis), second = b.size(axis);
  require(b.shape().with(axis, first) == a.shape(), "concat: {} and {} along axis {}", a.shape(),
          b.shape(), axis);
  Exec& exec = a.exec();
  Tensor y = exec.empty(a.shape().with(axis, first + second), a.dtype());
  exec.copy(a.value(), y.narrow(axis, 0, first));
  exec.copy(b.value(), y.narrow(axis, first, second));
  return a.tape().record(Primitive::concat, y, {a, b}, [=](const Tensor& dy) {
    a.tape().add(a, dy.narrow(axis, 0, first));
    b.tape().add(b, dy.narrow(axis, first, second));
  });
}

Var sum(const Var& x, std::vector<int> axes, bool keep) {
  Tensor y = values::sum(x.exec(), x.value(), axes, keep);
  Shape shape = x.shape();
  for (int axis : axes) shape[axis < 0 ? axis + shape.rank() : axis] = 1;
  return x.tape().record(Primitive::sum, y, {x}, [=](const Tensor& dy) {
    x.tape().add(x, x.exec().contiguous(dy).reshape(shape).expand(x.shape()));
  });
}

Var sum(const Var& x) {
  std::vector<int> axes(size_t(x.value().rank()));
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = int(i);
  return sum(x, axes);
}

}  // namespace star::autograd
