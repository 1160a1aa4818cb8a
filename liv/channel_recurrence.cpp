// Matrix-valued states, e × e a head, whose decay is one number a key channel: gated linear
// attention (Yang et al., 2024; RWKV-6, Peng et al., 2024), and with the delta rule (Kimi Team,
// "Kimi Linear", 2025; RWKV-7).
//   S_t = Diag(a_t) S_{t−1} + k_t ⊗ u_t,  y_t = q_tᵀ S_t / √e,  log a_t = −softplus(−a) / p
// of the feature a before its nonlinearity, p = 16 where that is the root of a sigmoid, else 1:
//   alone:      u_t = v_t
//   with beta:  u_t = β_t (v_t − k_tᵀ Diag(a_t) S_{t−1}),
//               that is a transition (I − β_t k_t k_tᵀ) Diag(a_t)
#include "liv/channel_recurrence.h"

#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/views.h"

namespace star::liv {
namespace {

bool is_delta(const Layout& layout) { return layout.group(Role::beta) != nullptr; }

std::string network_of(const Layout& layout) {
  return fmt::format(
      "{},{}", 1 / std::sqrt(double(layout.head_width())),
      is_delta(layout)
          ? "bihn,[i..t..j]delta(k:bthn,beta:bth,exp(bthn))m,beta:bjh,k:bjhm,bjhv->bihv"
          : "bihn,[i..t..j]exp(bthn),bjhn,bjhv->bihv");
}

class ChannelRecurrence : public TokenMixing {
 public:
  explicit ChannelRecurrence(const Layout& layout) : TokenMixing(layout, network_of(layout)) {}

  std::vector<Var> operands(const Features& f, const Weights&, State*) const override {
    Var q = by_head(f[layout_.reader()]), k = by_head(f[layout_.writer()]);
    Var v = by_head(f[Role::value]), g = by_head(log_decay(f));
    if (delta()) return {q, k, f[Role::beta], g, v};
    return {q, g, k, v};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    Shape rows{B, L, layout_.sizes.heads, layout_.head_width()};
    if (delta()) return {rows, rows, {B, L, layout_.sizes.heads}, rows, rows};
    return {4, rows};
  }

  DenseCore materialize(const Features& f, const Weights&) const override {
    FeatureRows q(f[layout_.reader()]), k(f[layout_.writer()]), g(log_decay(f));
    std::optional<FeatureRows> beta;
    if (delta()) beta.emplace(f[Role::beta]);
    int64_t H = layout_.sizes.heads, e = layout_.head_width(), L = q.length();
    DenseCore core{H, L, std::vector<double>(size_t(H * L * L), 0.0)};
    for (int64_t h = 0; h < H; ++h)
      for (int64_t j = 0; j < L; ++j) {
        std::vector<double> s;  // what is left in the state of what j wrote
        for (int64_t n = 0; n < e; ++n)
          s.push_back(k.at(j, h * e + n) * (beta ? beta->at(j, h) : 1));
        for (int64_t i = j; i < L; ++i) {
          double along = 0, y = 0;
          for (int64_t n = 0; n < e && i > j; ++n) {
            s[size_t(n)] *= std::exp(g.at(i, h * e + n));
            if (beta) along += beta->at(i, h) * k.at(i, h * e + n) * s[size_t(n)];
          }
          for (int64_t n = 0; n < e; ++n) {
            s[size_t(n)] -= along * k.at(i, h * e + n);
            y += q.at(i, h * e + n) * s[size_t(n)];
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
    double e = double(layout_.head_width()), c = double(std::min(length, kChannelChunk));
    return double(layout_.sizes.heads) * e * (2 * e + (delta() ? 4 : 3) * c);
  }

 private:
  bool delta() const { return is_delta(layout_); }
  Var by_head(const Var& x) const {
    return reshape(x, {x.size(0), x.size(1), layout_.sizes.heads, layout_.head_width()});
  }
  Var log_decay(const Features& f) const {
    const bool root = layout_.group(Role::a)->activation() == Activation::sigmoid_root_with_bias;
    return scale(softplus(-f[Role::a]), root ? -1 / kSigmoidRoot : -1);
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_channel_recurrence(const Layout& layout) {
  return std::make_unique<ChannelRecurrence>(layout);
}

}  // namespace star::liv
