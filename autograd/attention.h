// Softmax attention as one primitive: the fused form of softmax(…) between two contractions, which
// keeps no scores.
#pragma once

#include "autograd/rows.h"

namespace star::autograd {

// y_i = Σ_j softmax_j(factor · q_i·k_j) v_j over the keys that the mask lets a query see.
// q [B, queries, H, G, e], k [B, keys, H, e], v [B, keys, H, f]: [B, queries, H, G, f]. G query
// heads read each key/value head. The scores must be finite.
Var attention(const Var& q, const Var& k, const Var& v, CausalMask mask, double factor);

}  // namespace star::autograd
