#include "autograd/elementwise.h"

#include "autograd/values.h"

namespace star {

const char* name_of(Unary op) {
  switch (op) {
#define STAR_CASE(name, functor) \
  case Unary::name:              \
    return #name;
    STAR_UNARY(STAR_CASE)
#undef STAR_CASE
  }
  fail("elementwise: no function {}", int(op));
}

Var unary(Unary op, const Var& x) {
  Exec& exec = x.exec();
  Tensor in = exec.contiguous(x.value());
  Tensor y = values::unary(exec, op, in);
  return x.tape().record(Primitive::unary, y, {x}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), dx = exec.empty(in.shape(), in.dtype());
    dispatch(in.dtype(), [&]<class T>() {
      exec.kernels<T>().unary_grad(exec, {.op = op,
                                          .n = in.numel(),
                                          .x = in.data<T>(),
                                          .y = y.data<T>(),
                                          .dy = g.data<T>(),
                                          .dx = dx.data<T>()});
    });
    x.tape().add(x, dx);
  });
}

namespace {

// d(a/b) = dy/b and −dy·(a/b)/b; the others are plain.
void binary_grad(Binary op, const Var& a, const Var& b, const Tensor& y, const Tensor& dy) {
  Exec& exec = a.exec();
  auto give = [&](const Var& v, auto gradient) {
    if (v.needs_grad()) v.tape().add(v, values::sum_to(exec, gradient(), v.shape()));
  };
  auto product = [&](Binary by, const Tensor& t) { return values::binary(exec, by, dy, t); };
  switch (op) {
    case Binary::add:
      give(a, [&] { return dy; });
      return give(b, [&] { return dy; });
    case Binary::sub:
      give(a, [&] { return dy; });
      return give(b, [&] { return values::scale(exec, dy, -1); });
    case Binary::mul:
      give(a, [&] { return product(Binary::mul, b.value()); });
      return give(b, [&] { return product(Binary::mul, a.value()); });
    case Binary::div:
      give(a, [&] { return product(Binary::div, b.value()); });
      return give(b, [&] {
        Tensor slope = values::binary(exec, Binary::div, y, b.value());
        return values::scale(exec, product(Binary::mul, slope), -1);
      });
  }
}

}  // namespace

Var binary(Binary op, const Var& a, const Var& b) {
  Tensor y = values::binary(a.exec(), op, a.value(), b.value());
  return a.tape().record(Primitive::binary, y, {a, b},
                         [=](const Tensor& dy) { binary_grad(op, a, b, y, dy); });
}

Var gated(Unary f, const Var& a, const Var& b) {
  require(a.shape() == b.shape(), "gated: {} and {}", a.shape(), b.shape());
  Exec& exec = a.exec();
  Tensor gate = exec.contiguous(a.value()), in = exec.contiguous(b.value());
  Tensor y = exec.empty(a.shape(), a.dtype());
  dispatch(y.dtype(), [&]<class T>() {
    exec.kernels<T>().gated(
        exec, {.f = f, .n = y.numel(), .a = gate.data<T>(), .b = in.data<T>(), .y = y.data<T>()});
  });
  return a.tape().record(Primitive::gated, y, {a, b}, [=, &exec](const Tensor& dy) {
    Tensor g = exec.contiguous(dy), da = exec.empty(gate.shape(), gate.dtype());
    Tensor db = exec.empty(gate.shape(), gate.dtype());
    dispatch(g.dtype(), [&]<class T>() {
      exec.kernels<T>().gated_grad(exec, {.f = f,
                                          .n = g.numel(),
                                          .a = gate.data<T>(),
                                          .b = in.data<T>(),
                                          .dy = g.data<T>(),
                                          .da = da.data<T>(),
                                          .db = db.data<T>()});
    });
    a.tape().add(a, da);
    b.tape().add(b, db);
  });
}

Var scale(const Var& x, double factor, double shift) {
  Tensor y = values::scale(x.exec(), x.value(), factor, shift);
  return x.tape().record(Primitive::scale, y, {x}, [=](const Tensor& dy) {
    x.tape().add(x, values::scale(x.exec(), dy, factor));
  });
}

}  // namespace star
