#include "autograd/gradient_check.h"

#include <cmath>
#include <numeric>

#include "core/rng.h"

namespace star::autograd {
namespace {

// Gradients of single entries cannot cancel each other in a sum with these weights.
std::vector<double> random_weights(int64_t count) {
  Rng rng(7, "gradient-check");
  std::vector<double> weights(size_t(count), 0.0);
  for (double& w : weights) w = rng.uniform(0.5, 1.5) * (rng.chance(0.5) ? 1 : -1);
  return weights;
}

}  // namespace

double gradient_error(Exec& exec, const std::function<Var(Tape&, const std::vector<Var>&)>& f,
                      std::vector<Tensor> inputs, double step,
                      std::bitset<kPrimitives>* differentiated) {
  Tape tape(exec);
  std::vector<Var> leaves;
  for (auto& x : inputs) leaves.push_back(tape.leaf(x));
  const Var y = f(tape, leaves);
  const std::vector<double> weights = random_weights(y.value().numel());
  tape.backward(y, exec.from(y.shape(), weights, DType::f64));
  if (differentiated) *differentiated |= tape.differentiated();
  auto value = [&] {
    Tape numeric(exec, false);
    std::vector<Var> vars;
    for (auto& x : inputs) vars.push_back(numeric.constant(x));
    const std::vector<double> entries = f(numeric, vars).value().to_doubles();
    return std::inner_product(entries.begin(), entries.end(), weights.begin(), 0.0);
  };

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
      if (!std::isfinite(analytic[j]) || !std::isfinite(numeric)) return INFINITY;
    }
  }
  return worst / largest;
}

}  // namespace star::autograd
