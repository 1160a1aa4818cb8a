// Primitives that work row by row, and the two ends of a model: embedding and loss.
#pragma once

#include "autograd/tape.h"

namespace star::autograd {

// x / sqrt(mean(x²) + 1e-5) · w over the last axis; w has its size.
Var rms_norm(const Var& x, const Var& w);

// Scores [..., queries, keys]; the first query stands at position `offset`, and with a window w > 0
// a query sees the last w positions only (core/kernels.h, Visibility).
struct CausalMask {
  int64_t offset = 0, window = 0;
};
// softmax(factor · scores) over the visible keys, 0 elsewhere.
Var softmax(const Var& scores, CausalMask mask, double factor);
// The scores on the visible keys, 0 elsewhere.
Var visible(const Var& scores, CausalMask mask);

// Rows of the table [V, d] at index [...] (int32, each in 0 … V−1): [..., d].
Var embedding(const Var& table, const Tensor& index);

// The mean of −log softmax(logits)[target] over the rows with target ≥ 0, shape []. Logits
// [rows, V], targets [rows] int32, below V. Where no row counts, the loss is 0.
// `rows`, if given, receives each row's loss, and 1 where its target is the first of the greatest
// logits, else 0. These rows may be some of a whole in which `of` count: then this is their share
// of its mean.
struct TargetRows {
  Tensor loss, hit;  // [rows], as the logits
};
Var cross_entropy(const Var& logits, const Tensor& targets, TargetRows* rows = nullptr,
                  int64_t of = 0);

// The loss of each row [rows], 0 where its target is below 0, beside any tape; nothing is read back
// from a device. `slope`, if given, receives the gradient of `weight` times their sum by the logits,
// `hit` what TargetRows has. A target that is not below V is an Error in the host's memory; on a
// device the loss is NaN.
Tensor row_losses(Exec& exec, const Tensor& logits, const Tensor& targets, double weight,
                  Tensor* slope, Tensor* hit = nullptr);

}  // namespace star::autograd
