// Primitives along the tokens: rotary positions, depthwise convolution, recurrences.
#pragma once

#include "autograd/tape.h"

namespace star::autograd {

// Turns pairs (r, r + e/2) of x [B, L, H, e] by (position + t) · 10000^(−2r/e); e even.
Var rotary(const Var& x, int64_t position);

// y_t = Σ_τ k_τ x_{t−τ}, a channel at a time; x [B, L, C], k [taps, C].
enum class ConvMethod { direct, fourier };
Var conv(const Var& x, const Var& k, ConvMethod method = ConvMethod::direct);

// A short convolution between two gates: y = c ⊙ conv(b ⊙ v, k) in one pass; c, b, v [B, L, C].
inline constexpr int64_t kShortKernel = 8;  // taps up to which this is the best way
Var gated_conv(const Var& c, const Var& k, const Var& b, const Var& v);

// h_t = a_t h_{t−1} + b_t with h_{−1} = h0; a, b [B, L, C], h0 [B, C] or undefined for 0. No
// gradient flows to h0. The gradient is the reversed scan.
Var scan(const Var& a, const Var& b, const Tensor& h0 = {});

// h_t = σ(u_t) h_{t−1} + σ(−u_t) v_t, the same recurrence from the logits of its gate.
Var gated_scan(const Var& u, const Var& v, const Tensor& h0 = {});

// Products of a [B, L, C] along the tokens: up to t, Π_{k≤t} a_k, and behind it, Π_{k>t} a_k.
Var cumulative_product(const Var& a);
Var remaining_product(const Var& a);

// Products of decays between all pairs of tokens: a [B, L, C] to y [B, C, L, L],
// y_ij = Π_{k=j+1..i} a_k for j ≤ i, 0 for j > i.
Var decay(const Var& a);

// h_t[n,c] = exp(dt_t[c] A[n,c]) h_{t−1}[n,c] + dt_t[c] B_t[n] v_t[c];  y_t[c] = Σ_n C_t[n]
// h_t[n,c]. dt, v [B, L, d]; A [N, d]; B, C [B, L, N]; h0 [B, N, d] or undefined for 0; `last`, if
// given, receives the final state. No gradient flows to h0.
Var selective_scan(const Var& dt, const Var& A, const Var& B, const Var& C, const Var& v,
                   const Tensor& h0 = {}, Tensor* last = nullptr);

}  // namespace star::autograd
