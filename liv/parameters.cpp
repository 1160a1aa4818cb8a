#include "liv/parameters.h"

#include <cmath>

#include "core/error.h"

namespace star::liv {
namespace {

std::string name_of(const ParameterKey& key) {
  static constexpr std::array kTexts = {
#define STAR_PIECE(word, text) text,
      STAR_PIECES(STAR_PIECE)
#undef STAR_PIECE
  };
  return (key.role ? text_of(*key.role) : "") + std::string(kTexts[size_t(key.piece)]);
}

}  // namespace

std::string ParameterSpec::name() const {
  return part ? fmt::format("{}.{}", *part, name_of(key)) : name_of(key);
}

Places::Places() {
  for (auto& of_part : places_) of_part.fill(-1);
}

void Places::put(const ParameterSpec& spec, int place) {
  for (int part = 0; part < kParts; ++part)
    if (!spec.part || *spec.part == part) places_[size_t(part)][slot(spec.key)] = place;
}

void Places::missing(const ParameterKey& key) { fail("parameter {} is missing", name_of(key)); }

namespace init {

Initializer constant(double value) {
  return [=](Rng&, std::span<double> w) { std::fill(w.begin(), w.end(), value); };
}

Initializer normal(double deviation) {
  return [=](Rng& rng, std::span<double> w) {
    for (double& x : w) x = deviation * rng.normal();
  };
}

Initializer linear(int64_t fan_in) { return normal(1 / std::sqrt(3.0 * double(fan_in))); }

Initializer current_tap(int64_t taps) {
  return [taps](Rng&, std::span<double> w) {
    for (size_t i = 0; i < w.size(); ++i) w[i] = int64_t(i) % taps == taps - 1;
  };
}

Initializer softplus_log_uniform(double lo, double hi) {
  return [=](Rng& rng, std::span<double> w) {
    for (double& x : w) {
      double s = std::exp(rng.uniform(std::log(lo), std::log(hi)));
      x = s + std::log(-std::expm1(-s));
    }
  };
}

Initializer sigmoid_root_log_uniform(double lo, double hi) {
  return [=](Rng& rng, std::span<double> w) {
    for (double& x : w) {
      // softplus(−b) = −16 log(1 − s)
      double p = -kSigmoidRoot * std::log1p(-std::exp(rng.uniform(std::log(lo), std::log(hi))));
      x = -(p + std::log(-std::expm1(-p)));
    }
  };
}

Initializer sigmoid_uniform(double lo, double hi) {
  return [=](Rng& rng, std::span<double> w) {
    for (double& x : w) {
      double s = rng.uniform(lo, hi);
      x = std::log(s / (1 - s));
    }
  };
}

}  // namespace init
}  // namespace star::liv
