#include "star/export/onnx_pieces.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "liv/entries.h"
#include "liv/role.h"

namespace star::synthesis::onnx {

Value split_heads(Builder& g, const Value& u, int64_t n, int64_t e) {
  return g.reshape(u, {0, 0, n, e});
}

Value merge_heads(Builder& g, const Value& u, int64_t channels) {
  return g.reshape(u, {0, 0, channels});
}

Value rms_norm(Builder& g, const Value& u, const Value& weight, double floor) {
  const Value square = g.mul(u, u);
  const Value mean = g.op("ReduceMean", {square, g.integers({-1})}, {{"keepdims", int64_t(1)}});
  return g.mul(g.div(u, g.op("Sqrt", {g.add(mean, g.number(floor))})), weight);
}

Value unit_length(Builder& g, const Value& u) {
  return g.div(u, g.op("Sqrt", {g.add(g.sum(g.mul(u, u), -1), g.number(1e-12))}));
}

Value elu_plus_one(Builder& g, const Value& u) {
  const Value zero = g.number(0);
  const Value below = g.exp(g.op("Min", {u, zero})), above = g.add(u, g.number(1));
  return g.op("Where", {g.op("Greater", {u, zero}), above, below});
}

Value LayerPieces::rotate(const Value& u, int64_t e) const {
  const auto [cos, sin] = pass_.rotation(e);
  const Values halves =
      g_.op("Split", {u, g_.integers({e / 2, e / 2})}, {{"axis", int64_t(-1)}}, 2);
  const Value &a = halves[0], &b = halves[1];
  return g_.concat(
      -1, {g_.sub(g_.mul(a, cos), g_.mul(b, sin)), g_.add(g_.mul(b, cos), g_.mul(a, sin))});
}

Value LayerPieces::cached(const std::string& name, const Value& u, int64_t n, int64_t e,
                          int64_t window) const {
  return pass_.remember(state_ + name, u, {"batch", n, "length", e}, 2,
                        window ? window - 1 : Pass::kAll);
}

// The scores that tokens may see, `hidden` for the others.
Value LayerPieces::masked(const Value& scores, int64_t window, double hidden) const {
  if (pass_.step()) return scores;
  const Value visible = pass_.visible(window);
  return g_.op("Where", {visible, scores, g_.number(hidden)});
}

Value LayerPieces::scores(const Value& q, const Value& k) const {
  return g_.matmul(q, g_.transpose(k, {0, 1, 3, 2}));
}

Value LayerPieces::softmax_attention(const Value& q, const Value& k, const Value& v, int64_t e,
                                     int64_t window) const {
  const Value all = scores(g_.mul(q, g_.number(1 / std::sqrt(double(e)))), k);
  const Value rows = masked(all, window, -std::numeric_limits<double>::infinity());
  return g_.matmul(g_.op("Softmax", {rows}, {{"axis", int64_t(-1)}}), v);
}

Value LayerPieces::pointwise_attention(const std::function<Value(const Value&)>& f, const Value& q,
                                       const Value& k, const Value& v, int64_t e,
                                       int64_t window) const {
  const Value all = f(scores(g_.mul(q, g_.number(1 / std::sqrt(double(e)))), k));
  return g_.div(g_.matmul(masked(all, window, 0), v), pass_.seen(window, k));
}

// A column of ones beside v makes the divisor. S = Σ_j k_j ⊗ (v_j, 1) is all that a step needs of
// the past.
Value LayerPieces::linear_attention(const Value& q, const Value& k, const Value& v, int64_t H,
                                    int64_t e) const {
  const Value v1 = g_.op("Pad", {v, g_.integers({0, 0, 0, 0, 0, 0, 0, 1}), g_.number(1)});
  const std::vector<Dim> shape = {"batch", H, e, e + 1};
  Value S = g_.matmul(g_.transpose(k, {0, 1, 3, 2}), v1), sums;
  if (pass_.step()) {
    S = g_.add(pass_.past(state_ + "S", shape), S);
    sums = g_.matmul(q, S);
  } else {
    sums = g_.matmul(masked(scores(q, k), 0, 0), v1);
  }
  pass_.keep(state_ + "S", S, shape);
  const Values y = g_.op("Split", {sums, g_.integers({e, 1})}, {{"axis", int64_t(-1)}}, 2);
  return g_.div(y[0], g_.add(y[1], g_.number(liv::kNormaliserFloor)));
}

// Each channel of u [B, L, C] with its own of kernels [C, 1, taps], wherever they cover each other.
Value LayerPieces::convolved(const Value& u, const Value& kernels, int64_t C) const {
  const Value z = g_.op("Conv", {g_.transpose(u, {0, 2, 1}), kernels}, {{"group", C}});
  return g_.transpose(z, {0, 2, 1});
}

Value LayerPieces::short_convolution(const std::string& name, const Value& u, const Value& taps,
                                     int64_t n, int64_t C) const {
  const std::vector<Dim> shape = {"batch", n - 1, C};
  const Value inputs = g_.concat(1, {pass_.before(state_ + name, shape), u});
  pass_.keep(state_ + name, g_.last(inputs, 1, n - 1), shape);
  return convolved(inputs, g_.unsqueeze(taps, 1), C);
}

// A kernel stands in the order of the inputs that it meets: the longest distance first.
Value LayerPieces::long_convolution(const Value& u, const Filter& filter, int64_t C) const {
  const Value inputs = pass_.remember(state_ + "inputs", u, {"batch", "length", C}, 1);
  const std::string name = state_ + "kernel";
  if (pass_.step()) {
    const Value known = pass_.past(name, {1, "past", C});
    const Value farthest = g_.unsqueeze(kernel_at(g_.size(known, 1), filter), 0);
    const Value K = g_.concat(1, {farthest, known});
    pass_.keep(name, K, {1, "past + 1", C});
    return g_.sum(g_.mul(inputs, K), 1);
  }
  const Value farthest = g_.sub(g_.size(u, 1), g_.integers({1}));
  const Value t = g_.op("Range", {g_.squeeze(farthest, 0), g_.integer(-1), g_.integer(-1)});
  const Value K = kernel_at(t, filter);
  pass_.keep(name, g_.unsqueeze(K, 0), {1, "length", C});
  // Of all axes: ONNX Runtime (1.32) moves a transposition past a Pad of one axis in error.
  const Value pads = g_.concat(0, {g_.integers({0}), farthest, g_.integers({0, 0, 0, 0})});
  const Value padded = g_.op("Pad", {inputs, pads});
  return convolved(padded, g_.unsqueeze(g_.transpose(K, {1, 0}), 1), C);
}

// K [n, C] at the distances t [n] (liv/README.md): a small network of the position under an
// exponential window.
Value LayerPieces::kernel_at(const Value& t, const Filter& filter) const {
  const Builder::Scope scope(g_, text_of(Role::filter));
  const double seq = double(filter.seq);
  const Value column = g_.unsqueeze(t, 1), time = g_.as_float(column);
  const Value turns = g_.mul(column, g_.integers({1, 2, 3, 4, 5, 6, 7, 8}));
  const Value rest =
      g_.op("Mod", {turns, g_.integer(filter.seq)});  // of whole numbers, hence exact
  const Value phase = g_.mul(g_.as_float(rest), g_.number(2 * std::numbers::pi / seq));
  const Value p =
      g_.concat(1, {g_.div(time, g_.number(seq)), g_.op("Cos", {phase}), g_.op("Sin", {phase})});
  const Value hidden = g_.op("Sin", {g_.add(g_.matmul(p, filter.w1), filter.b1)});
  const Value rates = g_.neg(g_.softplus(filter.decay));
  return g_.mul(g_.matmul(hidden, filter.w2), g_.exp(g_.mul(time, rates)));
}

// σ(u) = exp(−softplus(−u)) is exact where σ is small, as runtimes' own sigmoids are not.
Value LayerPieces::gated_recurrence(const Value& a, const Value& v, int64_t C) const {
  const Value keeps = g_.exp(g_.neg(g_.softplus(g_.neg(a))));
  const Value writes = g_.exp(g_.neg(g_.softplus(a)));
  return pass_.recur(state_ + "h", {"batch", C}, {"batch", C}, {keeps, g_.mul(writes, v)},
                     [&](const Value& h, const Values& t) -> AfterToken {
                       const Value after = g_.add(g_.mul(t[0], h), t[1]);
                       return {after, g_.op("Identity", {after})};
                     });
}

Value LayerPieces::selective_scan(const Value& dt, const Value& A_log, const Value& B,
                                  const Value& C, const Value& v, int64_t channels,
                                  int64_t N) const {
  const Value rates = g_.neg(g_.exp(A_log));  // [channels, N]
  const Values sequences = {g_.unsqueeze(dt, 3), g_.unsqueeze(g_.mul(dt, v), 3), g_.unsqueeze(B, 2),
                            g_.unsqueeze(C, 3)};
  const Value y = pass_.recur(state_ + "h", {"batch", channels, N}, {"batch", channels, 1},
                              sequences, [&](const Value& h, const Values& t) -> AfterToken {
                                const Value kept = g_.mul(g_.exp(g_.mul(t[0], rates)), h);
                                const Value after = g_.add(kept, g_.mul(t[1], t[2]));
                                return {after, g_.matmul(after, t[3])};
                              });
  return g_.squeeze(y, 3);
}

Value LayerPieces::matrix_state(const Value& q, const Value& k, const Value& v, const Value& decay,
                                const Value& beta, int64_t H, int64_t e) const {
  const auto row = [&](const Value& u) { return g_.unsqueeze(u, 3); };
  const auto scalar = [&](const Value& u) { return g_.unsqueeze(g_.unsqueeze(u, 3), 4); };
  const bool delta = !beta.empty();
  Values sequences = {g_.unsqueeze(decay, 4), row(g_.mul(q, g_.number(1 / std::sqrt(double(e))))),
                      g_.unsqueeze(k, 4)};
  if (delta)
    sequences.insert(sequences.end(), {row(v), row(k), scalar(beta)});
  else
    sequences.push_back(row(v));
  const Value y = pass_.recur(state_ + "S", {"batch", H, e, e}, {"batch", H, 1, e}, sequences,
                              [&](const Value& S, const Values& t) -> AfterToken {
                                const Value kept = g_.mul(t[0], S);
                                Value u = t[3];
                                if (delta) u = g_.mul(t[5], g_.sub(u, g_.matmul(t[4], kept)));
                                const Value after = g_.add(kept, g_.matmul(t[2], u));
                                return {after, g_.matmul(t[1], after)};
                              });
  return g_.squeeze(y, 3);
}

}  // namespace star::synthesis::onnx
