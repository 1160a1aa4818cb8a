#include "autograd/adamw.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "core/rng.h"
#include "cpu/cpu.h"
#include "tests/difference.h"

namespace star::autograd {
namespace {

// The algorithm as its paper has it, with the gradient clipped by its norm.
struct NaiveAdamW {
  AdamWOptions options;
  size_t decayed;
  std::vector<double> w, m, v;
  int step_count = 0;

  double step(const std::vector<double>& g, double rate) {
    double norm = 0;
    for (double x : g) norm += x * x;
    norm = std::sqrt(norm);
    double factor = options.clip > 0 && norm > options.clip ? options.clip / norm : 1;
    ++step_count;
    for (size_t i = 0; i < w.size(); ++i) {
      double gradient = factor * g[i];
      m[i] = options.beta1 * m[i] + (1 - options.beta1) * gradient;
      v[i] = options.beta2 * v[i] + (1 - options.beta2) * gradient * gradient;
      double first = m[i] / (1 - std::pow(options.beta1, step_count));
      double second = v[i] / (1 - std::pow(options.beta2, step_count));
      double decay = i < decayed ? options.weight_decay * w[i] : 0;
      w[i] -= rate * (first / (std::sqrt(second) + options.epsilon) + decay);
    }
    return norm;
  }
};

std::vector<double> normals(Rng& rng, int64_t n, double deviation) {
  std::vector<double> values(static_cast<size_t>(n));
  for (double& x : values) x = deviation * rng.normal();
  return values;
}

}  // namespace

TEST_CASE("adamw: ten steps against the algorithm written out") {
  Rng rng(1, "test.adamw");
  for (DType dtype : {DType::f64, DType::f32})
    for (int64_t n : {1, 7, 64, 1000})
      for (int64_t decayed : {int64_t(0), n / 2, n})
        for (double clip : {0.0, 1.0, 1e6}) {
          INFO(fmt::format("{} {}, {} decayed, clip {}", n, dtype_name(dtype), decayed, clip));
          AdamWOptions options;
          options.clip = clip;
          options.weight_decay = 0.3;
          Exec exec(cpu_backend());
          Tensor w = exec.from({n}, normals(rng, n, 1), dtype), g = exec.zeros({n}, dtype);
          NaiveAdamW naive{options, size_t(decayed), w.to_doubles(), {}, {}};
          naive.m = naive.v = std::vector<double>(size_t(n), 0.0);
          AdamW optimizer(exec, w, g, decayed, options);
          for (int step = 0; step < 10; ++step) {
            exec.copy(exec.from({n}, normals(rng, n, step % 3 ? 0.01 : 3), dtype), g);
            std::vector<double> kept = g.to_doubles();
            double rate = 0.1 / (step + 1);
            CHECK(optimizer.step(rate) == doctest::Approx(naive.step(kept, rate)).epsilon(1e-6));
            CHECK(g.to_doubles() == kept);
          }
          CHECK(largest_difference(w.to_doubles(), naive.w) < (dtype == DType::f64 ? 1e-12 : 1e-5));
        }
}

TEST_CASE("adamw: without a gradient, what decays decays and the rest stays") {
  Exec exec(cpu_backend());
  Tensor w = exec.full({4}, DType::f64, 2), g = exec.zeros({4}, DType::f64);
  AdamW optimizer(exec, w, g, 2);
  CHECK(optimizer.step(0.5) == 0);
  CHECK(w.to_doubles() == std::vector<double>{2 - 0.5 * 0.1 * 2, 2 - 0.5 * 0.1 * 2, 2, 2});
}

TEST_CASE("adamw: a gradient that is not finite changes nothing, nor what follows") {
  const double inf = std::numeric_limits<double>::infinity();
  for (DType dtype : {DType::f64, DType::f32})
    for (double bad : {inf, -inf, std::nan("")}) {
      Exec exec(cpu_backend());
      auto after = [&](bool with_bad_step) {
        Tensor w = exec.full({5}, dtype, 1), g = exec.full({5}, dtype, 0.5);
        AdamW optimizer(exec, w, g, 5);
        optimizer.step(0.1);
        if (with_bad_step) {
          std::vector<double> before = w.to_doubles();
          exec.copy(exec.full({1}, dtype, bad), g.narrow(0, 3, 1));
          CHECK_FALSE(std::isfinite(optimizer.step(0.1)));
          CHECK(w.to_doubles() == before);
          exec.copy(exec.full({1}, dtype, 0.5), g.narrow(0, 3, 1));
        }
        optimizer.step(0.1);
        return w.to_doubles();
      };
      CHECK(after(true) == after(false));
    }
}

TEST_CASE("adamw: vectors of one length") {
  Exec exec(cpu_backend());
  Tensor w = exec.zeros({4}, DType::f64);
  CHECK_THROWS_WITH_AS(AdamW(exec, w, exec.zeros({5}, DType::f64), 0),
                       doctest::Contains("gradients [5]"), Error);
  CHECK_THROWS_WITH_AS(AdamW(exec, w.reshape({2, 2}), exec.zeros({2, 2}, DType::f64), 0),
                       doctest::Contains("values [2, 2]"), Error);
  CHECK_THROWS_WITH_AS(AdamW(exec, w, exec.zeros({4}, DType::f64), 5),
                       doctest::Contains("5 of them decay"), Error);
  CHECK_THROWS_WITH_AS(AdamW(exec, w, exec.zeros({4}, DType::f64), -1),
                       doctest::Contains("-1 of them decay"), Error);
}

}  // namespace star::autograd
