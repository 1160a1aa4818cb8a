#include "autograd/linear.h"

#include <algorithm>

#include "autograd/values.h"
#include "core/quantized.h"

namespace star::autograd {
namespace {

void give(const Var& v, const std::string& lv, const Tensor& dy, const std::string& lo,
          const Tensor& other, const std::string& lother) {
  if (!v.needs_grad()) return;
  Exec& exec = v.exec();
  // What is there already is added to by the GEMM itself.
  if (Tensor home = v.tape().target(v); home.defined())
    values::contract_add(exec, dy, lo, other, lother, lv, home);
  else
    v.tape().add(v, values::contract(exec, dy, lo, other, lother, lv));
}

}  // namespace

Var contract_pair(const Var& x, const std::string& lx, const Var& w, const std::string& lw,
                  const std::string& lo) {
  Tensor y = values::contract(x.exec(), x.value(), lx, w.value(), lw, lo);
  return x.tape().record(Primitive::contract, y, {x, w}, [=](const Tensor& dy) {
    give(x, lx, dy, lo, w.value(), lw);
    give(w, lw, dy, lo, x.value(), lx);
  });
}

namespace {

// y = x Wᵀ, or base + x Wᵀ, over the rows of x.
struct Linear {
  Var x, weight;
  Tensor u, W;  // [rows, in], [out, in]
  int64_t rows, in, out;

  Linear(const Var& input, const Var& w) : x(input), weight(w) {
    require(w.value().rank() == 2 && x.value().rank() >= 1, "linear: input {} and weight {}",
            x.shape(), w.shape());
    in = x.shape().back();
    out = w.size(0);
    require(w.size(1) == (is_quantized() ? quantized_bytes(in) : in),
            "linear: input {} and weight {} of {}", x.shape(), w.shape(), dtype_name(w.dtype()));
    rows = x.value().numel() / std::max<int64_t>(in, 1);
    u = x.exec().contiguous(x.value()).reshape({rows, in});
    W = x.exec().contiguous(w.value());
  }
  bool is_quantized() const { return weight.dtype() == DType::i8; }
  Shape shape() const { return x.shape().with(x.value().rank() - 1, out); }

  // `base` is of the shape of the result, or one row of it.
  Tensor value(const Tensor* base) const {
    Tensor y = x.exec().empty(shape(), x.dtype());
    dispatch(y.dtype(), [&]<class T>() {
      if (is_quantized()) return quantized_value(y.data<T>(), base);
      x.exec().kernels<T>().gemm(x.exec(), {.m = rows,
                                            .n = out,
                                            .k = in,
                                            .a = u.data<T>(),
                                            .a_row = in,
                                            .a_col = 1,
                                            .b = W.data<T>(),
                                            .b_row = 1,
                                            .b_col = in,
                                            .c = y.data<T>(),
                                            .c_row = out,
                                            .beta = T(base ? 1 : 0),
                                            .base = base ? base->data<T>() : nullptr,
                                            .base_row = base && base->rank() > 1 ? out : 0});
    });
    return y;
  }
  template <class T>
  void quantized_value(T* y, const Tensor* base) const {
    x.exec().kernels<T>().quantized_product(x.exec(),
                                            {.m = rows,
                                             .n = out,
                                             .k = in,
                                             .x = u.data<T>(),
                                             .rows = W.data<int8_t>(),
                                             .y = y,
                                             .base = base ? base->data<T>() : nullptr,
                                             .base_row = base && base->rank() > 1 ? out : 0});
  }
  void gradient(const Tensor& dy) const {
    require(!is_quantized(), "linear: weights of eight bits have no gradient");
    Tensor g = x.exec().contiguous(dy).reshape({rows, out});
    give(weight, "oc", g, "to", u, "tc");
    if (!x.needs_grad()) return;
    if (Tensor home = x.tape().target(x); home.defined())
      values::contract_add(x.exec(), g, "to", W, "oc", "tc", home.reshape({rows, in}));
    else
      x.tape().add(x, values::contract(x.exec(), g, "to", W, "oc", "tc").reshape(x.shape()));
  }
};

}  // namespace

Var linear(const Var& x, const Var& weight) {
  Linear map(x, weight);
  return x.tape().record(Primitive::linear, map.value(nullptr), {x, weight},
                         [map](const Tensor& dy) { map.gradient(dy); });
}

Var linear_onto(const Var& base, const Var& x, const Var& weight) {
  Linear map(x, weight);
  require(base.shape() == map.shape() || base.shape() == Shape{map.out}, "linear: {} onto {}",
          map.shape(), base.shape());
  Tensor from = x.exec().contiguous(base.value());
  return x.tape().record(Primitive::linear, map.value(&from), {base, x, weight},
                         [map, base](const Tensor& dy) {
                           map.gradient(dy);
                           base.tape().add(base, values::sum_to(base.exec(), dy, base.shape()));
                         });
}

}  // namespace star::autograd
