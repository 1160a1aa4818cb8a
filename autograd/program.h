// A contraction in one order, worked out for tensors of given shapes: what each step costs, and
// what it computes.
#pragma once

#include <functional>

#include "autograd/plan.h"
#include "autograd/tape.h"

namespace star {

class Program {
 public:
  class Run;
  using Compute = std::function<Var(const Run&)>;

  explicit Program(int tensors) : tensors_(tensors) {}

  const std::vector<ContractionStep>& steps() const { return steps_; }
  Cost cost() const;

  // The value of `result` on tensors of the shapes that the program was made for.
  Var run(std::span<const Var> tensors, int result) const;

  // Making it. Values are numbered: the tensors first, then what is computed, in its order. `of`
  // names the values that `compute` takes.
  int add(std::vector<int> of, Compute compute);
  void tell(ContractionStep step) { steps_.push_back(std::move(step)); }

 private:
  struct Operation {
    Compute compute;
    std::vector<int> of;
  };
  int tensors_;
  std::vector<Operation> operations_;
  std::vector<size_t> last_use_;  // of each value, the operation after which nothing takes it
  std::vector<ContractionStep> steps_;
};

// The values known so far.
class Program::Run {
 public:
  Run(std::span<const Var> tensors, size_t operations) : tensors_(tensors), made_(operations) {}
  Tape& tape() const { return tensors_[0].tape(); }
  DType dtype() const { return tensors_[0].dtype(); }
  const Var& operator[](int value) const {
    return value < int(tensors_.size()) ? tensors_[size_t(value)]
                                        : made_[size_t(value) - tensors_.size()];
  }

 private:
  friend class Program;
  std::span<const Var> tensors_;
  std::vector<Var> made_;
};

}  // namespace star
