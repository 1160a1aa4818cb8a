#include "autograd/program.h"

namespace star::autograd {

Cost Program::cost() const {
  Cost cost;
  for (const ContractionStep& step : steps_) cost += step.cost;
  return cost;
}

int Program::add(std::vector<int> of, Compute compute) {
  last_use_.resize(size_t(tensors_) + operations_.size() + 1);
  for (int value : of) last_use_[size_t(value)] = operations_.size();
  operations_.push_back({std::move(compute), std::move(of)});
  return tensors_ + int(operations_.size()) - 1;
}

Var Program::run(std::span<const Var> tensors, int result) const {
  Run run(tensors, operations_.size());
  for (size_t n = 0; n < operations_.size(); ++n) {
    run.made_[n] = operations_[n].compute(run);
    for (int value : operations_[n].of)
      if (value >= tensors_ && value != result && last_use_[size_t(value)] == n)
        run.made_[size_t(value - tensors_)] = Var();
  }
  return run[result];
}

}  // namespace star::autograd
