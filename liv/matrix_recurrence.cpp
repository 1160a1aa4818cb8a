// Matrix-valued states, e × e a head: a scalar decay (Dao and Gu, "Transformers are SSMs", 2024;
// Yang et al., "Gated linear attention", 2024), or a decay and a reflection (Yang et al., "Gated
// delta networks", 2024).
//   S_t = a_t S_{t−1} + k_t ⊗ u_t,  y_t = q_tᵀ S_t / √e,  a_t = exp(−dt_t exp(A_log))
//   with dt:    u_t = dt_t v_t
//   with beta:  u_t = β_t (v_t − a_t k_tᵀ S_{t−1}),  that is a transition a_t (I − β_t k_t k_tᵀ)
//
// With dt it is a network with a decay, and the planner contracts it. With beta the transition is a
// matrix: delta_error makes the v_t − a_t k_tᵀ S_{t−1} by chunks, and from there on it is a state
// with a scalar decay again.
#include "liv/matrix_recurrence.h"

#include <cmath>

#include "autograd/contraction.h"
#include "autograd/elementwise.h"
#include "autograd/matrix_state.h"
#include "autograd/views.h"

namespace star {
namespace {

class MatrixRecurrence : public TokenMixing {
 public:
  using TokenMixing::TokenMixing;

  std::vector<ParameterSpec> parameters() const override {
    auto rates = [](Rng& rng, std::span<double> w) {
      for (double& x : w) x = std::log(rng.uniform(1, 16));
    };
    return {{"A_log", {layout_.sizes.heads}, "", false, rates}};
  }

  Var apply(const Features& f, const Weights& w, State* state) const override {
    Inputs in{by_head(f.at(reader(layout_.liv.groups)->name)),
              by_head(f.at(writer(layout_.liv.groups)->name)), by_head(f.at("v")),
              exp(-(f.at("dt") * exp(w["A_log"]))), f.at(delta() ? "beta" : "dt")};
    int64_t B = in.q.size(0), L = in.q.size(1);
    Tensor start = state ? state->get("state") : Tensor(), last;
    if (delta()) in.v = delta_error(in.k, in.v, in.decay, in.strength, start);
    Var y = state || delta() ? stepped(in, start, state ? &last : nullptr)
                             : contract(network(), {in.q, in.decay, in.strength, in.k, in.v});
    if (state) state->set("state", last);
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
    std::vector<double> A_log = w["A_log"].value().to_doubles();
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
          core.at(h, i, j) = y / std::sqrt(double(e));
        }
      }
    return core;
  }

  int64_t cache(int64_t) const override {
    return layout_.sizes.heads * layout_.head_width() * layout_.head_width();
  }
  double work(int64_t length) const override {
    double e = double(layout_.head_width()), c = double(std::min(length, kStateChunk));
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
  Var stepped(const Inputs& in, const Tensor& start, Tensor* last) const {
    const Shape& shape = in.q.shape();
    Var q = reshape(in.q, {shape[0], shape[1], shape[2], 1, shape[3]});
    double factor = 1 / std::sqrt(double(layout_.head_width()));
    return reshape(matrix_state({q, in.k, in.v, in.decay, in.strength, factor}, start, last),
                   shape);
  }

  // A matrix transition is not a node of the network: its orders are counted here.
  ContractionPlan delta_plan(int64_t B, int64_t L) const {
    double e = double(layout_.head_width()), c = double(std::min(L, kStateChunk));
    double tokens = double(B * L * layout_.sizes.heads), state = 4 * e * e, row = 4 * e;
    ContractionOrder token{"state",
                           {{"S <- a (S - β k kᵀS)", {5 * e * e * tokens, 2 * state * tokens}},
                            {"S <- S + β k ⊗ v", {2 * e * e * tokens, 2 * state * tokens}},
                            {"qᵀS", {2 * e * e * tokens, state * tokens}}},
                           {}};
    ContractionOrder chunks{
        fmt::format("chunks of {}", int64_t(c)),
        {{"x: k kᵀ and decays", {(2 * e + 2) * c * tokens, 12 * c * tokens}},
         {"x: by substitution", {e * c * tokens, 3 * row * tokens}},
         {"y: scores q kᵀ with x", {(4 * e + 2) * c * tokens, 4 * row * tokens}},
         {"kᵀ S, qᵀ S, S from chunk to chunk, twice",
          {8 * e * e * tokens, 4 * state * tokens / c}}},
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
