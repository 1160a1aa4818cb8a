// Products of two factors, each one batched matrix product: of two tensors of a network, and linear
// maps.
#pragma once

#include <string>

#include "autograd/tape.h"

namespace star::autograd {

// The product of two factors of a network: every letter is in the result or in both.
Var contract_pair(const Var& a, const std::string& la, const Var& b, const std::string& lb,
                  const std::string& result);

// y = x Wᵀ over the last axis of x, W [out, in]. Of rows of eight bits (core/quantized.h) a product
// has a value, and no gradient.
Var linear(const Var& x, const Var& weight);

// base + x Wᵀ in one pass over the result; base is of its shape, or a bias [out].
Var linear_onto(const Var& base, const Var& x, const Var& weight);

}  // namespace star::autograd
