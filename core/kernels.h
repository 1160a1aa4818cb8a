// The arguments of the kernels in core/kernels.def. T is float or double. Memory is contiguous,
// row-major, unless strides (in elements) are given; outputs do not overlap inputs unless said.
// Shapes are checked by the caller: kernels receive validated views. Callers fill the fields by name.
#pragma once

#include <cstdint>

#include "core/elementwise.h"
#include "core/shape.h"
#include "core/state_kernels.h"

namespace star {

template <class T>
struct Fill {
  int64_t n;
  T value;
  T* y;
};

// dst = src, or dst += src; strided on both sides.
template <class T>
struct Copy {
  Shape shape, src_strides, dst_strides;
  const T* src;
  T* dst;
  bool accumulate;
};

// y = factor · x + shift; y may be x.
template <class T>
struct Scale {
  int64_t n;
  T factor, shift;
  const T* x;
  T* y;
};

template <class T>
struct UnaryMap {
  Unary op;
  int64_t n;
  const T* x;
  T* y;
};

// dx = f′(x) · dy, with y = f(x).
template <class T>
struct UnaryGrad {
  Unary op;
  int64_t n;
  const T *x, *y, *dy;
  T* dx;
};

// out = op(a, b), out contiguous; a stride of 0 broadcasts.
template <class T>
struct BinaryMap {
  Binary op;
  Shape shape, a_strides, b_strides;
  const T *a, *b;
  T* out;
};

// y = f(a) · b, and its gradient: da = f′(a) · b · dy, db = f(a) · dy.
template <class T>
struct Gated {
  Unary f;
  int64_t n;
  const T *a, *b;
  T* y;
};
template <class T>
struct GatedGrad {
  Unary f;
  int64_t n;
  const T *a, *b, *dy;
  T *da, *db;
};

// y[kept] = Σ over the reduced axes of x; y contiguous over the kept axes.
template <class T>
struct Sum {
  Shape kept, kept_strides, reduced, reduced_strides;
  const T* x;
  T* y;
};

// C = alpha · A B + beta · base over a batch of up to four axes. A is m × k, B is k × n, each with
// one of its two strides equal to 1; C has rows c_row apart. Float32 factors are read as the math of
// the Exec says (core/math.h). `base` lies like C but for its rows, which are base_row apart (0: one
// for all); null: C itself.
template <class T>
struct Gemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row;
  Shape batch = {}, a_batch = {}, b_batch = {}, c_batch = {};
  T alpha = 1, beta = 0;
  const T* base = nullptr;
  int64_t base_row = 0;
};

// y = x Wᵀ, or base + x Wᵀ, with W [n, k] in rows of eight bits (core/quantized.h), x [m, k] and
// y [m, n]. The rows of `base` are base_row apart (0: one for all); null: none.
template <class T>
struct QuantizedProduct {
  int64_t m, n, k;
  const T* x;
  const int8_t* rows;
  T* y;
  const T* base = nullptr;
  int64_t base_row = 0;
};

// y = x / sqrt(mean(x²) + epsilon) · w on rows of n (Zhang and Sennrich, 2019); keeps 1 / sqrt(…).
template <class T>
struct RmsNorm {
  int64_t rows, n;
  T epsilon;
  const T *x, *w;
  T *y, *inverse;
};

// dw is added to, dx where `add`.
template <class T>
struct RmsNormGrad {
  int64_t rows, n;
  bool add;
  const T *x, *w, *inverse, *dy;
  T *dx, *dw;
};

// Which keys a query sees. Scores are [rows, keys], and row r holds query i = r mod queries at
// position offset + i: it sees the keys j ≤ offset + i, and with a window w > 0 only
// j > offset + i − w. Every query's own position is a key: offset + queries ≤ keys.
struct Visibility {
  int64_t queries, keys, offset, window;
  STAR_HOST_DEVICE int64_t first(int64_t row) const {
    int64_t at = offset + row % queries;
    return window > 0 && at - window + 1 > 0 ? at - window + 1 : 0;
  }
  STAR_HOST_DEVICE int64_t last(int64_t row) const {  // one past
    int64_t end = offset + row % queries + 1;
    return end < keys ? end : keys;
  }
};

// y = softmax(scale · x) over the visible keys, 0 elsewhere; y may be x. Where all of them are −∞,
// they weigh the same.
template <class T>
struct Softmax {
  int64_t rows;
  Visibility visibility;
  T scale;
  const T* x;
  T* y;
};

// dx = scale · y (dy − Σ dy y); dx may be dy.
template <class T>
struct SoftmaxGrad {
  int64_t rows;
  Visibility visibility;
  T scale;
  const T *y, *dy;
  T* dx;
};

// y = x on the visible keys, 0 elsewhere.
template <class T>
struct Visible {
  int64_t rows;
  Visibility visibility;
  const T* x;
  T* y;
};

// Softmax attention whose scores are never stored whole (Dao et al., "FlashAttention", 2022):
//   y_i = Σ_j p_ij v_j,  p_ij = exp(s_ij − log_sum_i),  s_ij = scale · q_i·k_j,
// over the keys j that query i sees; log_sum_i = log Σ_j exp(s_ij). Scores are finite.
// q [batch, queries, heads, group, e], k [batch, keys, heads, e], v [batch, keys, heads, f],
// y [batch, queries, heads, group, f], log_sum [batch, heads, group, queries], null if not wanted.
template <class T>
struct Attention {
  int64_t batch, heads, group, e, f;
  Visibility visibility;
  T scale;
  const T *q, *k, *v;
  T *y, *log_sum = nullptr;
};
// With D_i = dy_i·y_i and ds_ij = scale · p_ij (dy_i·v_j − D_i):
//   dq_i = Σ_j ds_ij k_j,  dk_j = Σ_i ds_ij q_i,  dv_j = Σ_i p_ij dy_i.
template <class T>
struct AttentionGrad {
  int64_t batch, heads, group, e, f;
  Visibility visibility;
  T scale;
  const T *q, *k, *v, *y, *log_sum, *dy;
  T *dq, *dk, *dv;
};

// Rotary positions (Su et al., 2021) on [batch, length, heads, e]: the pair (r, r + e/2) of the
// token at position p turns by p · base^(−2r/e), backwards where `inverse`.
template <class T>
struct Rotary {
  int64_t batch, length, heads, e, position;
  double base;
  bool inverse;
  const T* x;
  T* y;
};

// Depthwise causal convolution on [batch, length, channels] with k [taps, channels]:
//   y_t = Σ_τ k_τ x_{t−τ},  or its transpose  y_t = Σ_τ k_τ x_{t+τ};  zeros outside.
// Summed directly, or by Fourier transform (conv_fourier).
template <class T>
struct Conv {
  int64_t batch, length, channels, taps;
  bool transpose;
  const T *x, *k;
  T* y;
};

// dk_τ = Σ_t dy_t x_{t−τ}, summed over the batch.
template <class T>
struct ConvKernelGrad {
  int64_t batch, length, channels, taps;
  const T *x, *dy;
  T* dk;
};

// A short convolution between two gates, on [batch, length, channels] with k [taps, channels]:
//   y_t = c_t · Σ_τ k_τ u_{t−τ},  u = b · v;  zeros before the start.
template <class T>
struct GatedConv {
  int64_t batch, length, channels, taps;
  const T *c, *b, *v, *k;
  T* y;
};
// With s_t = dy_t c_t and r_t = Σ_τ k_τ s_{t+τ}:
//   dc_t = dy_t Σ_τ k_τ u_{t−τ},  db = r · v,  dv = r · b,  dk_τ = Σ_t s_t u_{t−τ}.
template <class T>
struct GatedConvGrad {
  int64_t batch, length, channels, taps;
  const T *c, *b, *v, *k, *dy;
  T *dc, *db, *dv, *dk;
};

// Diagonal recurrence on [batch, length, channels]: h_t = a_t h_{t−1} + b_t from h0 [batch,
// channels] (null: 0). Reversed, without h0: h_t = b_t + a_{t+1} h_{t+1}, which is its gradient.
template <class T>
struct Scan {
  int64_t batch, length, channels;
  bool reverse;
  const T *a, *b, *h0 = nullptr;
  T* h;
};

// A gated linear recurrence from its gate's logits, on [batch, length, channels]:
//   h_t = σ(u_t) h_{t−1} + σ(−u_t) v_t from h0 [batch, channels] (null: 0).
template <class T>
struct GatedScan {
  int64_t batch, length, channels;
  const T *u, *v, *h0 = nullptr;
  T* h;
};
// With g_t = dh_t + σ(u_{t+1}) g_{t+1}:
//   dv_t = σ(−u_t) g_t,  du_t = σ(u_t) σ(−u_t) (h_{t−1} − v_t) g_t.
template <class T>
struct GatedScanGrad {
  int64_t batch, length, channels;
  const T *u, *v, *h0 = nullptr, *h, *dh;
  T *du, *dv;
};

// Products of decays on a [batch, length, channels]:
//   y[batch, channels, i, j] = Π_{k=j+1..i} a_k for j ≤ i (1 where j = i), 0 for j > i.
template <class T>
struct Decay {
  int64_t batch, length, channels;
  const T* a;
  T* y;
};

// da_i = Σ_{j<i} r_ij y_{i−1,j},  r_ij = dy_ij + a_{i+1} r_{i+1,j}: nothing is divided by a decay.
template <class T>
struct DecayGrad {
  int64_t batch, length, channels;
  const T *a, *y, *dy;
  T* da;
};

// Selective state space (Gu and Dao, 2023), channels d, N states a channel:
//   h_t[c,n] = exp(dt_t[c] A[n,c]) h_{t−1}[c,n] + dt_t[c] B_t[n] v_t[c]
//   y_t[c] = Σ_n C_t[n] h_t[c,n]
// dt, v, y: [batch, length, d]; B, C: [batch, length, N]; A: [N, d]; states [batch, N, d].
// `checkpoints` [batch, ceil(length / kScanChunk), N, d], where not null, receives the state before
// each chunk, so that the gradient recomputes the states of one chunk at a time.
inline constexpr int64_t kScanChunk = 16;
template <class T>
struct SelectiveScan {
  int64_t batch, length, d, n;
  const T *dt, *A, *B, *C, *v, *h0 = nullptr;     // h0 null: 0
  T *y, *last = nullptr, *checkpoints = nullptr;  // last, checkpoints: null if not wanted
};

// dA is added to.
template <class T>
struct SelectiveScanGrad {
  int64_t batch, length, d, n;
  const T *dt, *A, *B, *C, *v, *checkpoints, *dy;
  T *d_dt, *dA, *dB, *dC, *dv;
};

// y_i = table[index_i]. The caller has checked the indices; on a device, whose memory the host does
// not look into for that, one outside of the table gives NaN.
template <class T>
struct GatherRows {
  int64_t n, d, table_rows;
  const int32_t* index;
  const T* table;
  T* y;
};

// table[index_i] += x_i, in the order of i; on a device in parts, none where index_i is outside.
template <class T>
struct ScatterRows {
  int64_t n, d, table_rows;
  const int32_t* index;
  const T* x;
  T* table;
};

// loss_r = −log softmax(logits_r)[target_r], 0 where target < 0; targets are below `classes`. Where
// not null, grad receives weight · dloss_r/dlogits_r, and hit 1 where the target is the first of the
// greatest logits, else 0.
template <class T>
struct CrossEntropy {
  int64_t rows, classes;
  const T* logits;
  const int32_t* targets;
  T* loss;
  T* grad = nullptr;
  T* hit = nullptr;
  T weight;
};

// AdamW (Loshchilov and Hutter, 2019) on n weights, gradients times grad_scale:
//   m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
//   w ← w − lr (m / c₁ / (sqrt(v / c₂) + ε) + decay · w),  c_i = 1 − β_i^step.
template <class T>
struct AdamWUpdate {
  int64_t n;
  T lr, beta1, beta2, epsilon, decay, correction1, correction2, grad_scale;
  const T* g;
  T *w, *m, *v;
};

// *out = Σ x², in the host's memory: short runs in T, their sums in double precision.
template <class T>
struct SumSquares {
  int64_t n;
  const T* x;
  double* out;
};

}  // namespace star
