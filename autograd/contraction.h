// Contraction of tensor networks (autograd/network.h). The result is one; the orders are many, and
// each is an algorithm:
//   pairs         dense factors only: batched GEMMs in the cheapest order
//   diagonal      [i=j]: i and j are one index
//   scores        all pairs (i, j): T first, then T v; quadratic in the tokens
//   state         B with v first, carried along the tokens: the recurrence
//   chunks        scores inside a chunk, a state across chunks (Dao and Gu, 2024)
//   blocks        scores of a block with itself and the one before: for a band
//   convolution   B with v first, then the Toeplitz kernel, by tiles
//   transform     the same by fast Fourier transform
//   gated convolution   a short kernel with B, v and C in one pass
//   tiles         softmax attention, scores never stored whole (Dao et al., 2022)
//   state in chunks   the same as chunks in one kernel
// The planner tries those that fit on the shapes and takes the one of least cost. A function of the
// entries needs scores. All but the last three, which are one kernel each, are made of
// differentiable operations: gradients are contractions again.
#pragma once

#include "autograd/machine.h"

namespace star {

// Throws `Error` on a network that does not fit the tensors.
Var contract(const std::string& network, const std::vector<Var>& tensors);

struct ContractionOrder {
  std::string name;  // of the list above; "chunks of 64"
  std::vector<Machine::Step> steps;
  Cost cost;
};
struct ContractionPlan {
  std::vector<ContractionOrder> orders;  // all that fit
  size_t chosen = 0;
};
// What contract() would do with tensors of these shapes.
ContractionPlan plan_contraction(const std::string& network, const std::vector<Shape>& shapes,
                                 DType dtype = DType::f32);
// By the order with this name, whatever it costs; `Error` if it is not among those that fit.
Var contract_by(const std::string& order, const std::string& network,
                const std::vector<Var>& tensors);

// The product of two factors, one batched GEMM: every letter is in the result or in both.
Var contract_pair(const Var& a, const std::string& la, const Var& b, const std::string& lb,
                  const std::string& result);

// y = x Wᵀ over the last axis of x, W [out, in].
Var linear(const Var& x, const Var& weight);

// base + x Wᵀ in one pass over the result; base is of its shape, or a bias [out].
Var linear_onto(const Var& base, const Var& x, const Var& weight);

}  // namespace star
