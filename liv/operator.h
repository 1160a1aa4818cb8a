// A LIV operator, built from the digits of its class: features of x, arranged into T(x), applied to
// the value feature, gated, projected.
//   y = W_o (z ⊙ (T(x) v + D v)),    z and D where the class has them
// Differential classes: T = T₀ − λT₁, so that what both parts see cancels (Ye et al., "Differential
// transformer", 2024). What makes T exists twice, value, gate, D and output projection once; λ is
// one a head where channels are grouped, else one a channel of v.
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

  // `depth` is the number of LIVs, by which output projections start smaller.
  std::vector<ParameterSpec> parameters(int64_t depth) const;

  // y [B, L, d] of x [B, L, d]. `features` holds those that a donor computed, and then all that were
  // used. With a state, x continues what it has seen.
  Var apply(const Weights& weights, const Var& x, FeatureSet& features, State* state) const;
  // The same, added to h.
  Var apply_onto(const Var& h, const Weights& weights, const Var& x, FeatureSet& features,
                 State* state) const;

  // T(x) for one sequence, D and gate included; rows are heads, or channels where channels are
  // diagonal or a gate tells them apart.
  DenseCore materialize(const Weights& weights, const FeatureSet& features) const;
  // T₀(x) or T₁(x) of a differential operator, T(x) of another: gate included, but not the D of a
  // recurrence, which belongs to no part.
  DenseCore materialize_part(const Weights& weights, const FeatureSet& features, int part) const;
  // Of low-rank operators: a part before mask, nonlinearity and gate. Empty for the others.
  DenseCore scores(const FeatureSet& features, int part) const;
  // W_o (T v), the view that materialize is checked by: [L][d].
  std::vector<double> apply_dense(const DenseCore& core, const Weights& weights,
                                  const FeatureSet& features) const;

  // What one part of it does along the tokens, from its features to T(x) v, and how its network is
  // contracted for B sequences of L tokens on a backend with these rates.
  const TokenMixing& mixing() const { return *mixing_; }
  ContractionPlan plan(int64_t B, int64_t L, const Rates& rates) const;

  // `reused` are the roles of the features taken from a donor.
  int64_t cache_floats(int64_t context, std::span<const Role> reused) const;
  double work(int64_t length, std::span<const Role> reused) const;  // multiply-adds a token

 private:
  bool skips() const { return layout_.group(Role::dt) != nullptr; }  // whether D v is beside T v
  // z ⊙ (T(x) v + D v), what the output projection takes.
  Var mix(const Weights& weights, const Var& x, FeatureSet& features, State* state) const;
  Var mix_part(const Weights& weights, const FeatureSet& features, State* state, int part) const;
  DenseCore ungated(const Weights& weights, const FeatureSet& features, int part) const;
  DenseCore gated_rows(DenseCore core, const Features& f) const;

  Layout layout_;
  std::unique_ptr<TokenMixing> mixing_;
};

}  // namespace star
