// A matrix-valued state with a decay a key channel as one primitive: the fused form of gated linear
// attention.
#pragma once

#include "autograd/tape.h"

namespace star::autograd {

// S_t = Diag(exp(g_t)) S_{t−1} + k_t ⊗ (w_t v_t),  y_t = factor · q_tᵀ S_t,  g ≤ 0.
// q, k, log decay g [B, L, H, e], v [B, L, H, f]: [B, L, H, f]. Strength w [B, L, H], undefined for
// 1. `start` [B, H, e, f], undefined for 0, to which no gradient flows; `last`, if given, receives
// the final state.
struct ChannelStateInputs {
  Var q, k, v, log_decay, strength = {};
  double factor = 1;
};
Var channel_state(const ChannelStateInputs& in, const Tensor& start = {}, Tensor* last = nullptr);

// The delta rule on that state (autograd/matrix_state.h):
//   x_t = v_t − (Diag(exp(g_t)) S_{t−1})ᵀ k_t,  S_t = Diag(exp(g_t)) S_{t−1} + k_t ⊗ (w_t x_t).
// The state itself follows from x by channel_state.
Var channel_error(const Var& k, const Var& v, const Var& log_decay, const Var& strength,
                  const Tensor& start = {});

}  // namespace star::autograd
