// Matrix-valued states, e × e a head: a scalar decay (Dao and Gu, "Transformers are SSMs", 2024;
// Yang et al., "Gated linear attention", 2024), or a decay and a reflection (Yang et al., "Gated
// delta networks", 2024).
//   S_t = a_t S_{t−1} + k_t ⊗ u_t,  y_t = q_tᵀ S_t / √e + D v_t,  a_t = exp(−dt_t exp(A_log))
//   with dt:    u_t = dt_t v_t
//   with beta:  u_t = β_t (v_t − a_t k_tᵀ S_{t−1}),  that is a transition a_t (I − β_t k_t k_tᵀ)
//
// By chunks. With G(i,j) = Π_{t=j+1..i} a_t, and S the state before the chunk,
//   y_i = G(i,·) q_iᵀ S + Σ_{j≤i} G(i,j) (q_i·k_j) u_j,
// and with beta the u of a chunk solve the unit lower triangular system
//   u_i + β_i Σ_{j<i} G(i,j) (k_i·k_j) u_j = β_i (v_i − G(i,·) k_iᵀ S).
// G comes from differences of cumulative logarithms, never from a quotient of products.
#include "liv/matrix_recurrence.h"

#include <cmath>

#include "autograd/contraction.h"
#include "autograd/elementwise.h"
#include "autograd/rows.h"
#include "autograd/sequence.h"
#include "autograd/views.h"

namespace star {
namespace {

constexpr int64_t kChunk = 64;

class MatrixRecurrence : public TokenMixing {
 public:
  using TokenMixing::TokenMixing;

  std::vector<ParameterSpec> parameters() const override {
    auto rates = [](Rng& rng, std::span<double> w) {
      for (double& x : w) x = std::log(rng.uniform(1, 16));
    };
    Shape heads{layout_.sizes.heads};
    return {{"A_log", heads, "", false, rates}, {"D", heads, "", false, init::constant(1)}};
  }

  Var apply(const Features& f, const Weights& w, State* state) const override {
    Var q = by_head(f.at(reader(layout_.liv.groups)->name));
    Var k = by_head(f.at(writer(layout_.liv.groups)->name)), v = by_head(f.at("v"));
    Var log_decay = -(f.at("dt") * exp(w["A_log"])), strength = f.at(delta() ? "beta" : "dt");
    int64_t B = q.size(0), L = q.size(1);
    Var S, y;
    if (state && state->get("state").defined()) S = q.tape().constant(state->get("state"));
    for (int64_t t = 0; t < L; t += kChunk) {
      int64_t n = std::min(kChunk, L - t);
      auto part = [&](const Var& x) { return L <= kChunk ? x : narrow(x, 1, t, n); };
      Var out = chunk(part(q), part(k), part(v), part(log_decay), part(strength), S);
      y = y.defined() ? concat(y, out, 1) : out;
    }
    if (state) state->set("state", S.value());
    Var skip = reshape(w["D"], {layout_.sizes.heads, 1}) * v;
    y = scale(y, 1 / std::sqrt(double(layout_.head_width()))) + skip;
    return reshape(y, {B, L, layout_.inner()});
  }

  DenseCore materialize(const Features& f, const Weights& w) const override {
    FeatureRows q(f, reader(layout_.liv.groups)->name), k(f, writer(layout_.liv.groups)->name);
    FeatureRows dt(f, "dt"), strength(f, delta() ? "beta" : "dt");
    std::vector<double> A_log = w["A_log"].value().to_doubles(), D = w["D"].value().to_doubles();
    int64_t H = layout_.sizes.heads, e = layout_.head_width(), L = q.length();
    DenseCore core{H, L, std::vector<double>(size_t(H * L * L), 0.0)};
    for (int64_t h = 0; h < H; ++h)
      for (int64_t j = 0; j < L; ++j) {
        std::vector<double> s;  // what is left of k_j β_j in the state
        for (int64_t n = 0; n < e; ++n) s.push_back(k.at(j, h * e + n) * strength.at(j, h));
        for (int64_t i = j; i < L; ++i) {
          double a = i > j ? std::exp(-dt.at(i, h) * std::exp(A_log[size_t(h)])) : 1, along = 0;
          for (int64_t n = 0; n < e; ++n) along += k.at(i, h * e + n) * s[size_t(n)];
          if (!delta() || i == j) along = 0;
          double y = 0;
          for (int64_t n = 0; n < e; ++n) {
            double& x = s[size_t(n)];
            x = a * (x - strength.at(i, h) * along * k.at(i, h * e + n));
            y += q.at(i, h * e + n) * x;
          }
          core.at(h, i, j) = y / std::sqrt(double(e)) + (i == j ? D[size_t(h)] : 0);
        }
      }
    return core;
  }

  int64_t cache(int64_t) const override {
    return layout_.sizes.heads * layout_.head_width() * layout_.head_width();
  }
  double work(int64_t length) const override {
    double e = double(layout_.head_width()), c = double(std::min(length, kChunk));
    return double(layout_.sizes.heads) * e * (2 * e + (delta() ? 3 : 2) * c);
  }

 private:
  bool delta() const { return layout_.group("beta") != nullptr; }
  Var by_head(const Var& x) const {
    return reshape(x, {x.size(0), x.size(1), layout_.sizes.heads, layout_.head_width()});
  }

  // q, k, v [B, c, H, e]; log_decay, strength [B, c, H]; S [B, H, e, e] or undefined for 0, brought
  // up to date. The output, [B, c, H, e], lacks the factor 1/√e.
  Var chunk(const Var& q, const Var& k, const Var& v, const Var& log_decay, const Var& strength,
            Var& S) const {
    int64_t B = q.size(0), c = q.size(1), H = q.size(2);
    Tape& tape = q.tape();
    Var ones = tape.constant(q.exec().full(log_decay.shape(), q.dtype(), 1));
    Var total = scan(ones, log_decay), by_token = reshape(total, {B, c, H, 1});
    Var across = permute(total, {0, 2, 1});
    // G(i,j) for i ≥ j, and 1 above the diagonal, where it would overflow.
    Var gap = reshape(across, {B, H, 1, c}) - reshape(across, {B, H, c, 1});
    Var G = exp(-relu(gap));
    Var weight = reshape(strength, {B, c, H, 1}), u = weight * v;
    if (delta()) {
      if (S.defined()) u = weight * (v - exp(by_token) * contract("bihn,bhnv->bihv", {k, S}));
      Var overlap = contract("bihn,bjhn->bhij", {k, k}) * G;
      Var system = permute(weight, {0, 2, 1, 3}) * overlap;
      u = permute(solve_unit_lower(system, permute(u, {0, 2, 1, 3})), {0, 2, 1, 3});
    }
    Var scores = visible(contract("bihn,bjhn->bhij", {q, k}) * G, {}, false);
    Var y = contract("bhij,bjhv->bihv", {scores, u});
    if (S.defined()) y = y + exp(by_token) * contract("bihn,bhnv->bihv", {q, S});
    Var end = narrow(by_token, 1, c - 1, 1);
    Var added = contract("bjhn,bjhv->bhnv", {k * exp(end - by_token), u});
    S = S.defined() ? reshape(exp(end), {B, H, 1, 1}) * S + added : added;
    return y;
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_matrix_recurrence(const Layout& layout) {
  return std::make_unique<MatrixRecurrence>(layout);
}

}  // namespace star
