#include "autograd/gradient_check.h"

#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/views.h"
#include "core/rng.h"

namespace star {
namespace {

// f's value, weighted: gradients of single entries cannot cancel each other.
Var weighted_sum(const Var& y) {
  Rng rng(7, "gradient-check");
  std::vector<double> weights(size_t(y.value().numel()));
  for (double& w : weights) w = rng.uniform(0.5, 1.5) * (rng.chance(0.5) ? 1 : -1);
  return sum(y * y.tape().constant(y.exec().from(y.shape(), weights, DType::f64)));
}

}  // namespace

double gradient_error(Exec& exec, const std::function<Var(Tape&, const std::vector<Var>&)>& f,
                      std::vector<Tensor> inputs, double step) {
  auto value = [&] {
    Tape tape(exec, false);
    std::vector<Var> vars;
    for (auto& x : inputs) vars.push_back(tape.constant(x));
    return weighted_sum(f(tape, vars)).value().item();
  };
  Tape tape(exec);
  std::vector<Var> leaves;
  for (auto& x : inputs) leaves.push_back(tape.leaf(x));
  tape.backward(weighted_sum(f(tape, leaves)));

  double worst = 0, largest = 1e-3;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor grad = tape.grad(leaves[i]);
    std::vector<double> analytic(size_t(inputs[i].numel()), 0.0);
    if (grad.defined()) analytic = grad.to_doubles();
    std::vector<double> x = inputs[i].to_doubles();
    Tensor flat = inputs[i].reshape({inputs[i].numel()});
    for (size_t j = 0; j < analytic.size(); ++j) {
      Tensor entry = flat.narrow(0, int64_t(j), 1);
      exec.fill(entry, x[j] + step);
      double above = value();
      exec.fill(entry, x[j] - step);
      double below = value();
      exec.fill(entry, x[j]);
      double numeric = (above - below) / (2 * step);
      largest = std::max(largest, std::abs(numeric));
      worst = std::max(worst, std::abs(numeric - analytic[j]));
      if (!std::isfinite(analytic[j])) return INFINITY;
    }
  }
  return worst / largest;
}

}  // namespace star
