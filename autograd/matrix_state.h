// A matrix-valued state that decays as one primitive: the fused form of linear attention and of
// recurrences with a scalar decay a head.
#pragma once

#include "autograd/tape.h"

namespace star::autograd {

// S_t = a_t S_{t−1} + k_t ⊗ (w_t v_t),  y_t = factor · q_tᵀ S_t.
// q [B, L, H, G, e], k [B, L, H, e], v [B, L, H, f]: [B, L, H, G, f]. Decay a and strength w
// [B, L, H], undefined for 1. `start` [B, H, e, f], undefined for 0, to which no gradient flows;
// `last`, if given, receives the final state.
struct MatrixStateInputs {
  Var q, k, v, decay = {}, strength = {};
  double factor = 1;
};
Var matrix_state(const MatrixStateInputs& in, const Tensor& start = {}, Tensor* last = nullptr);

// The delta rule: the write that corrects what the state foretells of a value.
//   x_t = v_t − a_t S_{t−1}ᵀ k_t,  S_t = a_t S_{t−1} + k_t ⊗ (w_t x_t)
// k [B, L, H, e], v [B, L, H, f]: [B, L, H, f]; the rest as above, both decay and strength given.
// The state itself follows from x by matrix_state.
Var delta_error(const Var& k, const Var& v, const Var& decay, const Var& strength,
                const Tensor& start = {});

// The transitions of that state between all pairs of tokens, by products one after the other, which
// is slow: k [R, L, N], w [R, L], a [R, L], or [R, L, N] by channel; [R, L, L, N, N],
//   M_i M_{i−1} … M_{j+1} for j ≤ i, 0 for j > i, with M_t = (1 − w_t k_t k_tᵀ) a_t, or Diag(a_t).
Var delta_transitions(const Var& k, const Var& w, const Var& a);

}  // namespace star::autograd
