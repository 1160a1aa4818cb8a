// What layers are composed of, as nodes of an ONNX graph: the pieces of star/export/pieces once
// more.
#pragma once

#include <string>

#include "star/export/onnx_pass.h"

namespace star::synthesis::onnx {

// [B, L, n·e] as [B, L, n, e], and back.
Value split_heads(Builder& g, const Value& u, int64_t n, int64_t e);
Value merge_heads(Builder& g, const Value& u, int64_t channels);

// u [.., d] divided by the root of its mean square, with `floor` beside that, times the weight [d].
Value rms_norm(Builder& g, const Value& u, const Value& weight, double floor = 1e-5);
// u [.., e] divided by its length.
Value unit_length(Builder& g, const Value& u);
// u + 1 above 0, exp(u) below.
Value elu_plus_one(Builder& g, const Value& u);

// The parameters of an implicit filter, and the training length that it is scaled to.
struct Filter {
  Value w1, b1, w2, decay;  // w1 and w2 transposed
  int64_t seq;
};

// Those that look along the tokens. What they keep for decoding has names that begin with `state`.
class LayerPieces {
 public:
  LayerPieces(Builder& builder, Pass& pass, const std::string& state)
      : g_(builder), pass_(pass), state_(state) {}

  // Of u [B, n, L, e] at the positions of the tokens.
  Value rotate(const Value& u, int64_t e) const;
  // u [B, n, L, e] behind those of the tokens before, of which a window keeps what it sees next.
  Value cached(const std::string& name, const Value& u, int64_t n, int64_t e, int64_t window) const;

  // Of q, k, v [B, H, L, e], where k and v are of all tokens seen; a window of 0 is none.
  Value softmax_attention(const Value& q, const Value& k, const Value& v, int64_t e,
                          int64_t window) const;
  // f(q kᵀ / √e) v divided by the number of visible tokens.
  Value pointwise_attention(const std::function<Value(const Value&)>& f, const Value& q,
                            const Value& k, const Value& v, int64_t e, int64_t window) const;
  // Σ_{j≤i} (q_i·k_j) v_j / (Σ_{j≤i} q_i·k_j + 1e-6) of q, k, v [B, H, L, e] of these tokens.
  Value linear_attention(const Value& q, const Value& k, const Value& v, int64_t H,
                         int64_t e) const;

  // z_t = Σ_s taps[:, n−1−s] u_{t−s} of u [B, L, C], taps [C, n].
  Value short_convolution(const std::string& name, const Value& u, const Value& taps, int64_t n,
                          int64_t C) const;
  // Σ_{j≤i} K_{i−j} u_j of u [B, L, C].
  Value long_convolution(const Value& u, const Filter& filter, int64_t C) const;

  // h_t = σ(a_t) h_{t−1} + σ(−a_t) v_t of a, v [B, L, C].
  Value gated_recurrence(const Value& a, const Value& v, int64_t C) const;
  // y_t = C_t·h_t with h_t = exp(−dt_t exp(A_log)) h_{t−1} + dt_t B_t v_t, N states a channel, of
  // dt, v [B, L, channels], B, C [B, L, N].
  Value selective_scan(const Value& dt, const Value& A_log, const Value& B, const Value& C,
                       const Value& v, int64_t channels, int64_t N) const;
  // y_t = q_tᵀ S_t / √e with S_t = Diag(a_t) S_{t−1} + k_t ⊗ u_t a head; of q, k, v [B, L, H, e],
  // decay a [B, L, H, e], or [B, L, H, 1] for one a head, beta [B, L, H]. u_t is v_t, or with beta, by
  // the delta rule, beta_t (v_t − k_tᵀ Diag(a_t) S_{t−1}).
  Value matrix_state(const Value& q, const Value& k, const Value& v, const Value& decay,
                     const Value& beta, int64_t H, int64_t e) const;

 private:
  Value masked(const Value& scores, int64_t window, double hidden) const;
  Value scores(const Value& q, const Value& k) const;
  Value convolved(const Value& u, const Value& kernels, int64_t C) const;
  Value kernel_at(const Value& t, const Filter& filter) const;

  Builder& g_;
  Pass& pass_;
  const std::string state_;
};

}  // namespace star::synthesis::onnx
