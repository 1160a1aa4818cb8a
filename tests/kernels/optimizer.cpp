#include "tests/kernels/cases.h"

using namespace star;

KERNEL_CASE(adamw) {
  const T lr = T(0.05), beta1 = T(0.9), beta2 = T(0.95), epsilon = T(1e-8), decay = T(0.1);
  const T grad_scale = T(0.7);
  std::vector<int64_t> sizes(std::begin(kAwkward), std::end(kAwkward));
  sizes.insert(sizes.end(), {0, 16383, 16385, 40000});
  for (int64_t n : sizes) {
    CAPTURE(n);
    Array<T> w = s.random(n), m(n, T(0)), v(n, T(0));
    Doubles weights = w.doubles(), first(size_t(n), 0.0), second(size_t(n), 0.0);
    for (int step = 1; step <= 3; ++step) {
      Array<T> g = s.random(n, -0.3, 0.5);
      T c1 = T(1 - std::pow(double(beta1), step)), c2 = T(1 - std::pow(double(beta2), step));
      s.kernels().adamw(s.exec, {.n = n,
                                 .lr = lr,
                                 .beta1 = beta1,
                                 .beta2 = beta2,
                                 .epsilon = epsilon,
                                 .decay = decay,
                                 .correction1 = c1,
                                 .correction2 = c2,
                                 .grad_scale = grad_scale,
                                 .g = g,
                                 .w = w,
                                 .m = m,
                                 .v = v});
      for (size_t i = 0; i < weights.size(); ++i) {
        double slope = double(g[int64_t(i)]) * grad_scale;
        first[i] = beta1 * first[i] + (1.0 - beta1) * slope;
        second[i] = beta2 * second[i] + (1.0 - beta2) * slope * slope;
        double update = first[i] / c1 / (std::sqrt(second[i] / c2) + epsilon);
        weights[i] -= lr * (update + decay * weights[i]);
      }
    }
    s.near(w, [&] { return weights; });
    s.near(m, [&] { return first; });
    s.near(v, [&] { return second; });
  }
}
