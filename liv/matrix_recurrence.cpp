// Matrix-valued states, e × e a head: a scalar decay (Mamba-2, also called simple gated linear
// attention; Dao and Gu, "Transformers are SSMs", 2024), or a decay and a reflection (Yang et al.,
// "Gated delta networks", 2024). β is in (0, 1), or in (0, 2) where its featurizer says so: then the
// transition has eigenvalues down to −a_t (Grazzi et al., "Unlocking state-tracking in linear RNNs
// through negative eigenvalues", 2024).
//   S_t = a_t S_{t−1} + k_t ⊗ u_t,  y_t = q_tᵀ S_t / √e,  a_t = exp(−dt_t exp(A_log))
//   with dt:    u_t = dt_t v_t
//   with beta:  u_t = β_t (v_t − a_t k_tᵀ S_{t−1}),  that is a transition a_t (I − β_t k_t k_tᵀ)
#include "liv/matrix_recurrence.h"

#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/views.h"

namespace star::liv {
namespace {

bool is_delta(const Layout& layout) { return layout.group(Role::beta) != nullptr; }

std::string network_of(const Layout& layout) {
  return fmt::format("{},{}", 1 / std::sqrt(double(layout.head_width())),
                     is_delta(layout)
                         ? "bihn,[i..t..j]delta(k:bthn,beta:bth,bth)m,beta:bjh,k:bjhm,bjhv->bihv"
                         : "bihn,b[i..j]h,bjh,bjhn,bjhv->bihv");
}

class MatrixRecurrence : public TokenMixing {
 public:
  explicit MatrixRecurrence(const Layout& layout) : TokenMixing(layout, network_of(layout)) {}

  std::vector<ParameterSpec> parameters() const override {
    auto rates = [](Rng& rng, std::span<double> w) {
      for (double& x : w) x = std::log(rng.uniform(1, 16));
    };
    return {{Piece::A_log, {layout_.sizes.heads}, false, rates}};
  }

  std::vector<Var> operands(const Features& f, const Weights& w, State*) const override {
    Var q = by_head(f[layout_.reader()]);
    Var k = by_head(f[layout_.writer()]), v = by_head(f[Role::value]);
    Var decay = exp(-(f[Role::dt] * exp(w[Piece::A_log])));
    if (delta()) return {q, k, f[Role::beta], decay, v};
    return {q, decay, f[Role::dt], k, v};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    Shape rows{B, L, layout_.sizes.heads, layout_.head_width()}, one{B, L, layout_.sizes.heads};
    if (delta()) return {rows, rows, one, one, rows};
    return {rows, one, one, rows, rows};
  }

  DenseCore materialize(const Features& f, const Weights& w) const override {
    FeatureRows q(f[layout_.reader()]), k(f[layout_.writer()]);
    FeatureRows dt(f[Role::dt]), strength(f[delta() ? Role::beta : Role::dt]);
    std::vector<double> A_log = w[Piece::A_log].value().to_doubles();
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
  bool delta() const { return is_delta(layout_); }
  Var by_head(const Var& x) const {
    return reshape(x, {x.size(0), x.size(1), layout_.sizes.heads, layout_.head_width()});
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_matrix_recurrence(const Layout& layout) {
  return std::make_unique<MatrixRecurrence>(layout);
}

}  // namespace star::liv
