// Matrix-valued states, e × e a head: a scalar decay (Dao and Gu, "Transformers are SSMs", 2024;
// Yang et al., "Gated linear attention", 2024), or a decay and a reflection (Yang et al., "Gated
// delta networks", 2024).
//   S_t = a_t S_{t−1} + k_t ⊗ u_t,  y_t = q_tᵀ S_t / √e + D v_t,  a_t = exp(−dt_t exp(A_log))
//   with dt:    u_t = dt_t v_t
//   with beta:  u_t = β_t (v_t − a_t k_tᵀ S_{t−1}),  that is a transition a_t (I − β_t k_t k_tᵀ)
//
// With dt it is a network with a decay, and the planner contracts it. With beta the transition is a
// matrix, and the form by chunks follows from it (the WY form of a product of reflections). With
// G(i,j) = Π_{t=j+1..i} a_t and S the state before a chunk, its u solve a unit lower triangular
// system,
//   u_i + β_i Σ_{j<i} G(i,j) (k_i·k_j) u_j = β_i (v_i − G(i,·) k_iᵀ S),
// whose solution is linear in S: u = U − W S. So, with K_j = G(end,j) k_j,
//   S' = (G(end,·) I − Kᵀ W) S + Kᵀ U,
//   y_i = Σ_{j≤i} G(i,j) (q_i·k_j) U_j + (G(i,·) q_i − Σ_{j≤i} G(i,j) (q_i·k_j) W_j) S:
// all chunks at once but for one product of e × e matrices from chunk to chunk. G is a product of
// decays, never a quotient of products.
#include "liv/matrix_recurrence.h"

#include <cmath>

#include "autograd/contraction.h"
#include "autograd/elementwise.h"
#include "autograd/matrix_state.h"
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
    Inputs in{by_head(f.at(reader(layout_.liv.groups)->name)),
              by_head(f.at(writer(layout_.liv.groups)->name)), by_head(f.at("v")),
              exp(-(f.at("dt") * exp(w["A_log"]))), f.at(delta() ? "beta" : "dt")};
    int64_t B = in.q.size(0), L = in.q.size(1);
    Tensor start = state ? state->get("state") : Tensor(), last;
    Var y;
    if (delta())
      y = by_chunks(in, start, state ? &last : nullptr);
    else if (state)
      y = decoded(in, start, &last);
    else
      y = contract(network(), {in.q, in.decay, in.strength, in.k, in.v});
    if (state) state->set("state", last);
    y = y + reshape(w["D"], {layout_.sizes.heads, 1}) * in.v;
    return reshape(y, {B, L, layout_.inner()});
  }

  std::string network() const override {
    std::string factor = fmt::format("{}", 1 / std::sqrt(double(layout_.head_width())));
    return delta() ? factor + ",bihn,b[i..j]hnm,bjh,bjhm,bjhv->bihv"
                   : factor + ",bihn,b[i..j]h,bjh,bjhn,bjhv->bihv";
  }
  ContractionPlan plan(int64_t B, int64_t L) const override {
    int64_t H = layout_.sizes.heads;
    Shape by_head{B, L, H, layout_.head_width()};
    if (delta()) return delta_plan(B, L);
    return plan_contraction(network(), {by_head, {B, L, H}, {B, L, H}, by_head, by_head});
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

  // q, k, v [B, L, H, e]; decay and strength [B, L, H]. States S are [B, H, e, e], undefined for 0.
  struct Inputs {
    Var q, k, v, decay, strength;
  };

  // The network with a state before and behind it.
  Var decoded(const Inputs& in, const Tensor& start, Tensor* last) const {
    const Shape& shape = in.q.shape();
    Var q = reshape(in.q, {shape[0], shape[1], shape[2], 1, shape[3]});
    double factor = 1 / std::sqrt(double(layout_.head_width()));
    return reshape(matrix_state({q, in.k, in.v, in.decay, in.strength, factor}, start, last),
                   shape);
  }

  Var by_chunks(const Inputs& in, const Tensor& start_state, Tensor* last) const {
    int64_t B = in.q.size(0), L = in.q.size(1), H = in.q.size(2), e = in.q.size(3);
    int64_t c = std::min(kChunk, L), M = (L + c - 1) / c;
    // Tokens beyond the end write nothing and forget nothing. [B·M, c, H, …].
    auto chunks = [&](const Var& x, double beyond) {
      Shape shape = x.shape();
      Var padded = x;
      if (M * c > L) {
        Tensor rest = x.exec().full(shape.with(1, M * c - L), x.dtype(), beyond);
        padded = concat(x, x.tape().constant(rest), 1);
      }
      return reshape(padded, shape.with(1, c).with(0, B * M));
    };
    Var q = chunks(in.q, 0), k = chunks(in.k, 0), v = chunks(in.v, 0), a = chunks(in.decay, 1);
    Shape by_token{B * M, c, H, 1};
    Var weight = reshape(chunks(in.strength, 0), by_token);
    Var products = cumulative_product(a), start = reshape(products, by_token), G = decay(a);
    Var k_end = reshape(remaining_product(a), by_token) * k;

    Var system = permute(weight, {0, 2, 1, 3}) * (contract("bihn,bjhn->bhij", {k, k}) * G);
    Var right = permute(concat(weight * v, weight * start * k, 3), {0, 2, 1, 3});
    Var solved = solve_unit_lower(system, right);  // [B·M, H, c, 2e]
    Var U = narrow(solved, 3, 0, e), W = narrow(solved, 3, e, e);

    Var P =
        all_of(products) * identity(a.tape(), a.dtype()) - contract("bjhn,bhjm->bhnm", {k_end, W});
    Var N = contract("bjhn,bhjv->bhnv", {k_end, U});
    Shape by_chunk{B, M, H, e, e};
    Var before = matrix_scan(reshape(P, by_chunk), reshape(N, by_chunk), start_state, last);

    Var scores = contract("bihn,bjhn->bhij", {q, k}) * G;
    Var mixed = contract("bhij,bhjv->bihv", {scores, solved});
    Var reads = start * q - narrow(mixed, 3, e, e);
    Var y = narrow(mixed, 3, 0, e) +
            contract("bihn,bhnv->bihv", {reads, reshape(before, {B * M, H, e, e})});
    y = narrow(reshape(y, {B, M * c, H, e}), 1, 0, L);
    return scale(y, 1 / std::sqrt(double(e)));
  }

  Var identity(Tape& tape, DType dtype) const {
    int64_t e = layout_.head_width();
    std::vector<double> values(size_t(e * e), 0.0);
    for (int64_t n = 0; n < e; ++n) values[size_t(n * (e + 1))] = 1;
    return tape.constant(tape.exec().from({e, e}, values, dtype));
  }

  // The product over all tokens, [B, H, 1, 1], from the products up to each.
  Var all_of(const Var& start) const {
    int64_t L = start.size(1);
    return reshape(narrow(start, 1, L - 1, 1), {start.size(0), start.size(2), 1, 1});
  }

  // A matrix transition is not a node of the network: its orders are counted here.
  ContractionPlan delta_plan(int64_t B, int64_t L) const {
    double e = double(layout_.head_width()), c = double(std::min(L, kChunk));
    double tokens = double(B * L * layout_.sizes.heads), state = 4 * e * e, row = 4 * e;
    ContractionOrder token{"state",
                           {{"S <- a (S - β k kᵀS)", {5 * e * e * tokens, 2 * state * tokens}},
                            {"S <- S + β k ⊗ v", {2 * e * e * tokens, 2 * state * tokens}},
                            {"qᵀS", {2 * e * e * tokens, state * tokens}}},
                           {}};
    ContractionOrder chunks{
        fmt::format("chunks of {}", int64_t(c)),
        {{"k kᵀ, q kᵀ and decays", {(4 * e + 4) * c * tokens, 24 * c * tokens}},
         {"triangular system for U, W", {2 * e * c * tokens, (2 * c + 4 * row) * tokens}},
         {"scores with U, W", {4 * e * c * tokens, (4 * c + 4 * row) * tokens}},
         {"Kᵀ U, Kᵀ W, reads of S", {6 * e * e * tokens, 5 * row * tokens}},
         {"S from chunk to chunk", {2 * e * e * e * tokens / c, 3 * state * tokens / c}}},
        {}};
    for (ContractionOrder* order : {&token, &chunks})
      for (auto& step : order->steps) {
        bool by_token = order == &token;
        step.cost.operations = by_token ? int(L) : 2;
        step.cost.memory = by_token ? state * tokens : row * tokens;
        order->cost += step.cost;
      }
    return {{token, chunks}, 1};
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_matrix_recurrence(const Layout& layout) {
  return std::make_unique<MatrixRecurrence>(layout);
}

}  // namespace star
