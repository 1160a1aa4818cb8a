// Scaled Toeplitz token mixing: gated convolutions, short with an explicit kernel, long with an
// implicit one (Poli et al., "Hyena hierarchy", 2023).
//   T_ij = C_i (K_{i−j} + D δ_ij) B_j,  j ≤ i;  C, B, v: [L, inner];  K: [L, inner];  D with
//   filters
#include "liv/toeplitz.h"

#include <cmath>
#include <numbers>

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/views.h"
#include "core/counting.h"
#include "liv/mixing.h"

namespace star::liv {
namespace {

constexpr int64_t kFrequencies = 8, kPositionFeatures = 1 + 2 * kFrequencies, kFilterWidth = 32;

}  // namespace

Var kernel_of_taps(const Var& weights) { return permute(flip(weights, 1), {1, 0}); }

std::vector<ParameterSpec> filter_parameters(int64_t channels, int64_t training_length) {
  // Decay lengths log-spaced from min(4, Lr) to Lr.
  std::vector<double> rates;
  double Lr = double(training_length), shortest = std::min(4.0, Lr);
  for (int64_t c = 0; c < channels; ++c) {
    double at = channels > 1 ? double(c) / double(channels - 1) : 0;
    rates.push_back(1 / (shortest * std::pow(Lr / shortest, at)));
  }
  auto decay = [rates](Rng&, std::span<double> w) {
    for (size_t c = 0; c < w.size(); ++c) w[c] = rates[c] + std::log(-std::expm1(-rates[c]));
  };
  // Every kernel starts with about unit energy.
  auto output = [rates](Rng& rng, std::span<double> w) {
    size_t columns = w.size() / rates.size();
    for (size_t c = 0; c < rates.size(); ++c) {
      double deviation = std::sqrt(-std::expm1(-2 * rates[c]) / 16);
      for (size_t i = 0; i < columns; ++i) w[c * columns + i] = deviation * rng.normal();
    }
  };
  return {{{Role::filter, Piece::w1}, {kFilterWidth, kPositionFeatures}, false, init::normal(1)},
          {{Role::filter, Piece::b1}, {kFilterWidth}, false, init::constant(0)},
          {{Role::filter, Piece::w2}, {channels, kFilterWidth}, false, output},
          {{Role::filter, Piece::decay}, {channels}, false, decay}};
}

Var filter_kernel(const Weights& w, int64_t first, int64_t taps, int64_t training_length) {
  const Var &W1 = w[{Role::filter, Piece::w1}], &b1 = w[{Role::filter, Piece::b1}];
  const Var &W2 = w[{Role::filter, Piece::w2}], &delta = w[{Role::filter, Piece::decay}];
  Tape& tape = W1.tape();
  Exec& exec = tape.exec();
  DType dtype = W1.dtype();
  std::vector<double> features, times;
  for (int64_t t = first; t < first + taps; ++t) {
    double u = double(t) / double(training_length);
    times.push_back(double(t));
    features.push_back(u);
    for (int f = 1; f <= kFrequencies; ++f)
      features.push_back(std::cos(2 * std::numbers::pi * f * u));
    for (int f = 1; f <= kFrequencies; ++f)
      features.push_back(std::sin(2 * std::numbers::pi * f * u));
  }
  Var p = tape.constant(exec.from({taps, kPositionFeatures}, features, dtype));
  Var t = tape.constant(exec.from({taps, 1}, times, dtype));
  Var window = exp(-(t * softplus(delta)));
  return linear(sin(linear(p, W1) + b1), W2) * window;
}

namespace {

bool has_filter(const Layout& layout) { return layout.group(Role::filter) != nullptr; }

std::string network_of(const Layout& layout) {
  return fmt::format("bic,[i-j{}]c,bjc,bjc->bic",
                     has_filter(layout) ? "" : fmt::format("<{}", layout.kernel_taps()));
}

class Toeplitz : public TokenMixing {
 public:
  explicit Toeplitz(const Layout& layout) : TokenMixing(layout, network_of(layout)) {}

  std::vector<ParameterSpec> parameters() const override {
    if (!implicit()) return {};
    return {{Piece::D, {layout_.inner()}, false, init::constant(1)}};
  }

  std::vector<Var> operands(const Features& f, const Weights& w, State* state) const override {
    const Var& read = f[layout_.reader()];
    const Var& write = f[layout_.writer()];
    return {read, state ? kept_kernel(w, read, *state) : kernel(w, 0, read.size(1)), write,
            f[Role::value]};
  }
  std::vector<Shape> shapes(int64_t B, int64_t L) const override {
    Shape rows{B, L, layout_.inner()};
    return {rows, {implicit() ? L : taps(), layout_.inner()}, rows, rows};
  }

  DenseCore materialize(const Features& f, const Weights& w) const override {
    FeatureRows read(f[layout_.reader()]), write(f[layout_.writer()]);
    int64_t L = read.length(), C = layout_.inner();
    Var taps = implicit() ? filter_kernel(w, 0, L, layout_.sizes.seq)
                          : kernel_of_taps(w[{Role::kernel, Piece::taps}]);
    std::vector<double> K = taps.value().to_doubles(), D(size_t(C), 0.0);
    if (implicit()) D = w[Piece::D].value().to_doubles();
    DenseCore core{C, L, std::vector<double>(size_t(C * L * L), 0.0)};
    for (int64_t c = 0; c < C; ++c)
      for (int64_t i = 0; i < L; ++i)
        for (int64_t j = 0; j <= i; ++j) {
          double k = i - j < taps.size(0) ? K[size_t((i - j) * C + c)] : 0;
          core.at(c, i, j) = read.at(i, c) * (k + (i == j ? D[size_t(c)] : 0)) * write.at(j, c);
        }
    return core;
  }

  int64_t cache(int64_t context) const override {
    return counted_product("cache", layout_.inner(), implicit() ? context : taps() - 1);
  }

  double work(int64_t length) const override {
    return double(layout_.inner()) * (implicit() ? double(length + 1) / 2 + 3 : double(taps()) + 2);
  }

 private:
  bool implicit() const { return has_filter(layout_); }
  int64_t taps() const { return layout_.kernel_taps(); }

  // K(t) from `first` on, [count, inner], with D on the current token.
  Var kernel(const Weights& w, int64_t first, int64_t count) const {
    if (!implicit()) return kernel_of_taps(w[{Role::kernel, Piece::taps}]);
    Var k = filter_kernel(w, first, count, layout_.sizes.seq);
    if (first > 0) return k;
    Var now = narrow(k, 0, 0, 1) + w[Piece::D];
    return count > 1 ? concat(now, narrow(k, 0, 1, count - 1), 0) : now;
  }

  // The kernel for all tokens that the state has seen and those of `read`: it follows from the
  // weights, and what a token adds is made once.
  Var kept_kernel(const Weights& w, const Var& read, State& state) const {
    if (!implicit()) return kernel(w, 0, taps());
    const int64_t seen = state.position + read.size(1);
    Tensor rows = state.memo(read.exec(), seen, [&](int64_t first, int64_t count) {
      return kernel(w, first, count).value().reshape({1, count, layout_.inner()});
    });
    return read.tape().constant(rows.reshape({seen, layout_.inner()}));
  }
};

}  // namespace

std::unique_ptr<TokenMixing> make_toeplitz(const Layout& layout) {
  return std::make_unique<Toeplitz>(layout);
}

}  // namespace star::liv
