// Semi-separable token mixing with diagonal channels: gated linear recurrences (Martin and Cundy,
// 2018) and the selective state space (Gu and Dao, "Mamba", 2023).
//   T_ij = C_i (Π_{k=j+1..i} A_k) B_j,  j ≤ i
// With a: one state a channel, C = 1, A = a, B = 1 − a.  With dt: N states, A = exp(dt A),
// A = −exp(A_log), B_j scaled by dt_j. Matrix-valued states: liv/matrix_recurrence.cpp, and with a
// decay a key channel liv/channel_recurrence.cpp.
#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/views.h"
#include "liv/channel_recurrence.h"
#include "liv/matrix_recurrence.h"
#include "liv/mixing.h"

namespace star::liv {
namespace {

class GatedRecurrence : public TokenMixing {
 public:
  // a stands before its sigmoid: 1 − σ(a) = σ(−a).
  explicit GatedRecurrence(const Layout& layout)
      : TokenMixing(layout, "[i..t..j]sigmoid(a:btc),sigmoid(-1,a:bjc),bjc->bic") {}

  std::vector<Var> operands(const Features& f, const Weights&, State*) const override {
    return {f[Role::a], f[Role::value]};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    return {2, {B, L, layout_.inner()}};
  }

  DenseCore materialize(const Features& f, const Weights&) const override {
    FeatureRows a(sigmoid(f[Role::a])), write(sigmoid(-f[Role::a]));
    int64_t L = a.length(), C = layout_.inner();
    DenseCore core{C, L, std::vector<double>(size_t(C * L * L), 0.0)};
    for (int64_t c = 0; c < C; ++c)
      for (int64_t j = 0; j < L; ++j) {
        double h = write.at(j, c);
        for (int64_t i = j; i < L; ++i) core.at(c, i, j) = h *= i == j ? 1 : a.at(i, c);
      }
    return core;
  }

  int64_t cache(int64_t) const override { return layout_.inner(); }
  double work(int64_t) const override { return 2 * double(layout_.inner()); }
};

class SelectiveStateSpace : public TokenMixing {
 public:
  explicit SelectiveStateSpace(const Layout& layout)
      : TokenMixing(layout, "[i..t..j]exp(dt:btc,nc),dt:bjc,bjn,bjc,bin->bic") {}

  std::vector<ParameterSpec> parameters() const override {
    int64_t C = layout_.inner(), N = layout_.states();
    auto log_counts = [N](Rng&, std::span<double> w) {
      for (size_t i = 0; i < w.size(); ++i) w[i] = std::log(double(int64_t(i) % N + 1));
    };
    return {{Piece::A_log, {C, N}, false, log_counts}};
  }

  std::vector<Var> operands(const Features& f, const Weights& w, State*) const override {
    const Var &B = f[layout_.writer()], &C = f[layout_.reader()];
    return {f[Role::dt], permute(-exp(w[Piece::A_log]), {1, 0}), B, f[Role::value], C};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    int64_t d = layout_.inner(), N = layout_.states();
    return {{B, L, d}, {N, d}, {B, L, N}, {B, L, d}, {B, L, N}};
  }

  DenseCore materialize(const Features& f, const Weights& w) const override {
    FeatureRows dt(f[Role::dt]), B(f[layout_.writer()]);
    FeatureRows C(f[layout_.reader()]);
    std::vector<double> A_log = w[Piece::A_log].value().to_doubles();
    int64_t L = dt.length(), d = layout_.inner(), N = layout_.states();
    DenseCore core{d, L, std::vector<double>(size_t(d * L * L), 0.0)};
    for (int64_t c = 0; c < d; ++c)
      for (int64_t j = 0; j < L; ++j)
        for (int64_t n = 0; n < N; ++n) {
          double h = dt.at(j, c) * B.at(j, n), rate = -std::exp(A_log[size_t(c * N + n)]);
          for (int64_t i = j; i < L; ++i) {
            if (i > j) h *= std::exp(dt.at(i, c) * rate);
            core.at(c, i, j) += C.at(i, n) * h;
          }
        }
    return core;
  }

  int64_t cache(int64_t) const override { return layout_.inner() * layout_.states(); }
  double work(int64_t) const override {
    return double(layout_.inner()) * (4 * double(layout_.states()) + 1);
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_recurrence(const Layout& layout) {
  const bool a = layout.group(Role::a) != nullptr;
  if (layout.grouped()) return a ? make_channel_recurrence(layout) : make_matrix_recurrence(layout);
  if (a) return std::make_unique<GatedRecurrence>(layout);
  return std::make_unique<SelectiveStateSpace>(layout);
}

FeatureRows::FeatureRows(const Var& feature) {
  const Tensor& t = feature.value();
  require(t.rank() == 3 && t.size(0) == 1, "materialize: one sequence at a time, not {}",
          t.shape());
  length_ = t.size(1);
  channels_ = t.size(2);
  values_ = t.to_doubles();
}

}  // namespace star::liv
