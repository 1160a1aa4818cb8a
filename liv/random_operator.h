// An operator with weights of its own, away from their starting values: for
// certificates, pictures and tests.
#pragma once

#include "liv/operator.h"

namespace star::liv {

// What starts at 0 or 1 would hide a mistake: every parameter moves, those of linear maps (`decay`)
// by a gain, so that features are of order 1.
Tensor moved_parameter(Exec& exec, Rng& rng, const Tensor& start, bool decay, double gain);

Tensor random_tensor(Exec& exec, Rng& rng, const Shape& shape, DType dtype, double deviation = 1);

class RandomOperator {
 public:
  // The weights of each seed are the same in both precisions, but for rounding.
  RandomOperator(Exec& exec, const LivClass& liv, const Sizes& sizes, DType dtype, uint64_t seed);

  // Its weights on a tape, and their view.
  std::vector<Var> on(Tape& tape) const;
  Weights weights(const std::vector<Var>& on_tape) const { return {on_tape, places}; }
  Weights weights(std::vector<Var>&& passing) const = delete;
  // y [B, L, d] of x [B, L, d]. With a state, x continues what it has seen.
  Tensor apply(Exec& exec, const Tensor& x, State* state = nullptr) const;
  // What the rounding of y is relative to: of T whose rows are not divided by their sums max|y|
  // with plain scores, since a function such as relu may leave of all of them one that nearly
  // cancels; of others 0, which is max|y| itself.
  double scale(Exec& exec, const Tensor& x) const;

  Operator op;
  std::vector<ParameterSpec> specs;
  Places places;
  std::vector<Tensor> values;

 private:
  // As `apply`, of another operator with these weights.
  Tensor apply_as(const Operator& other, Exec& exec, const Tensor& x, State* state) const;
};

// The tokens from … to of x [B, L, …].
Tensor tokens_between(Exec& exec, const Tensor& x, int64_t from, int64_t to);

}  // namespace star::liv
