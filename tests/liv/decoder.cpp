// The decoder of a whole sequence from its last state, against its equation.
#include <doctest/doctest.h>

#include "cpu/cpu.h"
#include "tests/liv/models.h"

namespace star::liv {
namespace {

const Sizes kDecoding{8, 2, 7, 6, 3, 1};

// W₂ swish(W₁ (h + pₜ)), normalised and weighted, against E, for t = 0 … L−1.
std::vector<double> decoded(Backbone& model, const std::vector<double>& h, int64_t L) {
  const size_t d = h.size();
  auto values = [&](const char* name) { return model.find(name)->value.to_doubles(); };
  auto times = [&](const std::vector<double>& matrix, const std::vector<double>& x) {
    std::vector<double> y(matrix.size() / d);
    for (size_t r = 0; r < y.size(); ++r)
      for (size_t c = 0; c < d; ++c) y[r] += matrix[r * d + c] * x[c];
    return y;
  };
  std::vector<double> logits;
  for (int64_t t = 0; t < L; ++t) {
    std::vector<double> z = h;
    for (size_t pair = 0; pair < d / 2; ++pair) {
      const double angle = double(t) / std::pow(10000, 2 * double(pair) / double(d));
      z[2 * pair] += std::sin(angle);
      z[2 * pair + 1] += std::cos(angle);
    }
    z = times(values("decoder.in.weight"), z);
    for (double& x : z) x /= 1 + std::exp(-x);
    z = times(values("decoder.out.weight"), z);
    double square = 0;
    for (double x : z) square += x * x / double(d);
    const std::vector<double> norm = values("decoder.norm.weight");
    for (size_t c = 0; c < d; ++c) z[c] *= norm[c] / std::sqrt(square + 1e-5);
    for (double x : times(values("embed.weight"), z)) logits.push_back(x);
  }
  return logits;
}

}  // namespace

TEST_CASE("decoder: it tells all places from the last state, at any length") {
  Exec exec(cpu_backend());
  const std::string genome = "11111-51111-91111";
  Backbone model = random_model(exec, genome, kDecoding, DType::f64, 3);
  Rng rng(3, "test.backbone.decoder");
  Tape tape(exec, false);
  for (int64_t L : {6, 4, 9}) {
    INFO(L);
    const Tensor tokens = random_tokens(exec, rng, 2, L, kDecoding.vocab);
    // With a state it is the model that the decoder reads of.
    DecodingState state;
    const Tensor hidden = model.hidden(tape, tokens, &state).value();
    std::vector<double> expected;
    for (int64_t s : {0, 1})
      for (double x : decoded(model, hidden.narrow(0, s * L + L - 1, 1).to_doubles(), L))
        expected.push_back(x);
    CHECK(relative_error(model.forward(tape, tokens).value().to_doubles(), expected) < 1e-12);
  }
}

}  // namespace star::liv
