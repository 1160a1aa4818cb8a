// The arguments of the kernels of matrix-valued states; what core/kernels.h says holds here.
#pragma once

#include <cstdint>

namespace star {

// A matrix-valued state that decays (Dao and Gu, "Transformers are SSMs", 2024), e × f a head:
//   S_t = a_t S_{t−1} + k_t ⊗ (w_t v_t),  y_t = scale · q_tᵀ S_t.
// q [batch, length, heads, group, e], k [batch, length, heads, e], v [batch, length, heads, f],
// decay a and strength w [batch, length, heads], null: 1; y [batch, length, heads, group, f];
// states [batch, heads, e, f], `start` null: 0, `last` null if not wanted.
inline constexpr int64_t kStateChunk = 48;  // tokens between which scores are taken
template <class T>
struct MatrixState {
  int64_t batch, length, heads, group, e, f;
  T scale;
  const T *q, *k, *v, *decay = nullptr, *strength = nullptr, *start = nullptr;
  T *y, *last = nullptr;
};
// Without a start; gradients of decay and strength are null where those are.
template <class T>
struct MatrixStateGrad {
  int64_t batch, length, heads, group, e, f;
  T scale;
  const T *q, *k, *v, *decay = nullptr, *strength = nullptr, *dy;
  T *dq, *dk, *dv, *d_decay = nullptr, *d_strength = nullptr;
};

// What a state that is corrected by the delta rule does not foretell of its values (Yang et al.,
// "Gated delta networks", 2024):
//   x_t = v_t − a_t S_{t−1}ᵀ k_t,  S_t = a_t S_{t−1} + k_t ⊗ (w_t x_t),
// shapes as for MatrixState; decay and strength are not null.
template <class T>
struct DeltaError {
  int64_t batch, length, heads, e, f;
  const T *k, *v, *decay, *strength, *start = nullptr;
  T* x;
};
// Without a start.
template <class T>
struct DeltaErrorGrad {
  int64_t batch, length, heads, e, f;
  const T *k, *decay, *strength, *x, *dx;
  T *dk, *dv, *d_decay, *d_strength;
};

// The same state with a decay a key channel, given by its logarithm g ≤ 0 [batch, length, heads, e]
// (Yang et al., "Gated linear attention transformers with hardware-efficient training", 2024):
//   S_t = Diag(exp(g_t)) S_{t−1} + k_t ⊗ (w_t v_t),  y_t = scale · q_tᵀ S_t,
// shapes as for MatrixState with one query a head.
inline constexpr int64_t kChannelChunk = 16;  // tokens between which scores are taken
template <class T>
struct ChannelState {
  int64_t batch, length, heads, e, f;
  T scale;
  const T *q, *k, *v, *log_decay, *strength = nullptr, *start = nullptr;
  T *y, *last = nullptr;
};
// Without a start; the gradient of the strength is null where that is.
template <class T>
struct ChannelStateGrad {
  int64_t batch, length, heads, e, f;
  T scale;
  const T *q, *k, *v, *log_decay, *strength = nullptr, *dy;
  T *dq, *dk, *dv, *d_log_decay, *d_strength = nullptr;
};

// What that state, corrected by the delta rule, does not foretell of its values (Kimi Team, "Kimi
// Linear", 2025):
//   x_t = v_t − (Diag(exp(g_t)) S_{t−1})ᵀ k_t,  S_t = Diag(exp(g_t)) S_{t−1} + k_t ⊗ (w_t x_t).
template <class T>
struct ChannelError {
  int64_t batch, length, heads, e, f;
  const T *k, *v, *log_decay, *strength, *start = nullptr;
  T* x;
};
// Without a start.
template <class T>
struct ChannelErrorGrad {
  int64_t batch, length, heads, e, f;
  const T *k, *log_decay, *strength, *x, *dx;
  T *dk, *dv, *d_log_decay, *d_strength;
};

}  // namespace star
