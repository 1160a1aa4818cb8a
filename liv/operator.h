// A LIV operator, built from the digits of its class: features of x, arranged into T(x), applied to
// the value feature, gated, projected.
//   y = W_o (z ⊙ (T(x) v));  differential classes: y = f₀(x) − λ f₁(x), two such branches
//
// Four views of one operator: `materialize` (the dense T), `apply` without a state (training),
// `apply` with one (decoding), and the costs, which are computed without running.
#pragma once

#include "liv/mixing.h"

namespace star {

class Operator {
 public:
  // Throws `Error` where the class does not fit the sizes.
  Operator(const LivClass& liv, const Sizes& sizes);

  const Layout& layout() const { return layout_; }
  const LivClass& liv() const { return layout_.liv; }
  int branches() const { return liv().differential ? 2 : 1; }

  // Of one branch. `depth` is the number of LIVs, by which output projections start smaller.
  std::vector<ParameterSpec> parameters(int64_t depth) const;
  // Of the operator as a whole: λ.
  std::vector<ParameterSpec> common_parameters() const;

  // One branch on x [B, L, d]: [B, L, d]. `reused` holds the features that a donor computed,
  // `features` receives all that were used. With a state, x continues what it has seen.
  Var apply(const Weights& weights, const Var& x, const Features& reused, State* state,
            Features* features) const;
  // The same, added to h.
  Var apply_onto(const Var& h, const Weights& weights, const Var& x, const Features& reused,
                 State* state, Features* features) const;

  // T(x) of one branch for one sequence, gate included; rows are heads, or channels where channels
  // are diagonal or a gate tells them apart.
  DenseCore materialize(const Weights& weights, const Features& features) const;
  // Of low-rank operators: T before mask, nonlinearity and gate. Empty for the others.
  DenseCore scores(const Features& features) const { return mixing_->scores(features); }
  // W_o (T v), the view that materialize is checked by: [L][d].
  std::vector<double> apply_dense(const DenseCore& core, const Weights& weights,
                                  const Features& features) const;

  // The tensor network of one branch, from its features to T(x) v, and how it is contracted for B
  // sequences of L tokens.
  std::string network() const { return mixing_->network(); }
  ContractionPlan plan(int64_t B, int64_t L) const { return mixing_->plan(B, L); }

  // Of all branches; `reused` names the feature groups taken from a donor.
  int64_t cache_floats(int64_t context, std::span<const std::string> reused) const;
  double work(int64_t length, std::span<const std::string> reused) const;  // multiply-adds a token

 private:
  // z ⊙ (T(x) v), what the output projection takes.
  Var mix(const Weights& weights, const Var& x, const Features& reused, State* state,
          Features* features) const;

  Layout layout_;
  std::unique_ptr<TokenMixing> mixing_;
};

}  // namespace star
