#include "autograd/adamw.h"

#include <cmath>

namespace star::autograd {

AdamW::AdamW(Exec& exec, Tensor values, Tensor grads, int64_t decayed, AdamWOptions options)
    : exec_(exec),
      values_(std::move(values)),
      grads_(std::move(grads)),
      first_(exec.zeros(values_.shape(), values_.dtype())),
      second_(exec.zeros(values_.shape(), values_.dtype())),
      decayed_(decayed),
      options_(options) {
  require(values_.rank() == 1 && values_.shape() == grads_.shape() && decayed_ >= 0 &&
              decayed_ <= values_.numel(),
          "AdamW: values {}, gradients {}, {} of them decay", values_.shape(), grads_.shape(),
          decayed_);
}

double AdamW::step(double learning_rate) {
  double norm = 0;
  dispatch(values_.dtype(), [&]<class T>() {
    double squares = 0;
    exec_.kernels<T>().sum_squares(exec_,
                                   {.n = grads_.numel(), .x = grads_.data<T>(), .out = &squares});
    norm = std::sqrt(squares);
    if (!std::isfinite(norm)) return;
    ++steps_;
    double factor = options_.clip > 0 && norm > options_.clip ? options_.clip / norm : 1;
    auto part = [&](int64_t begin, int64_t end, double decay) {
      exec_.kernels<T>().adamw(exec_, {.n = end - begin,
                                       .lr = T(learning_rate),
                                       .beta1 = T(options_.beta1),
                                       .beta2 = T(options_.beta2),
                                       .epsilon = T(options_.epsilon),
                                       .decay = T(decay),
                                       .correction1 = T(1 - std::pow(options_.beta1, steps_)),
                                       .correction2 = T(1 - std::pow(options_.beta2, steps_)),
                                       .grad_scale = T(factor),
                                       .g = grads_.data<T>() + begin,
                                       .w = values_.data<T>() + begin,
                                       .m = first_.data<T>() + begin,
                                       .v = second_.data<T>() + begin});
    };
    part(0, decayed_, options_.weight_decay);
    part(decayed_, values_.numel(), 0);
  });
  return norm;
}

}  // namespace star::autograd
