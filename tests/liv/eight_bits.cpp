// Models whose weights are kept in eight bits.
#include <doctest/doctest.h>

#include "core/quantized.h"
#include "cpu/cpu.h"
#include "tests/liv/models.h"

namespace star::liv {
namespace {

const Sizes kSizes{8, 2, 7, 6, 3};

// What a matrix is in eight bits, as floats.
std::vector<double> rounded_to_bytes(Exec& exec, const Tensor& matrix) {
  const int64_t n = matrix.size(1), bytes = quantized_bytes(n);
  const Tensor rows = quantized(exec, matrix);
  std::vector<double> all;
  for (int64_t r = 0; r < matrix.size(0); ++r) {
    const int8_t* row = rows.data<int8_t>() + r * bytes;
    const double scale = quantized_scale(row);
    for (int64_t i = 0; i < n; ++i) all.push_back(scale * row[kScaleBytes + i]);
  }
  return all;
}

}  // namespace

TEST_CASE("eight bits: weights are those that were rounded, at once and in decoding") {
  Rng rng(21, "test.backbone.quantize");
  const Pool pool = extended_pool();
  for (int round = 0; round < 20; ++round) {
    const std::string genome = round == 0
                                   ? with_all_classes("1111")
                                   : to_text(repair(random_genome_text(rng, pool, 4, true), pool));
    INFO(genome);
    Exec exec(cpu_backend());
    const uint64_t seed = uint64_t(round);
    Backbone model = random_model(exec, genome, kSizes, DType::f64, seed);
    Backbone bytes = random_model(exec, genome, kSizes, DType::f64, seed);
    const int64_t L = 6;
    const Tensor tokens = random_tokens(exec, rng, 1, L, kSizes.vocab);
    Tape tape(exec, false);
    const std::vector<double> before = model.forward(tape, tokens).value().to_doubles();
    for (auto& p : model.parameters())
      if (p.decay && p.name != "embed.weight")
        exec.copy(exec.from(p.value.shape(), rounded_to_bytes(exec, p.value), DType::f64), p.value);
    bytes.quantize(exec);
    CHECK(bytes.weight_bytes() < model.weight_bytes());
    // The output product reads the rounded embedding, the look-up the embedding.
    const Tensor hidden = model.hidden(tape, tokens).value();
    Parameter& table = *model.find("embed.weight");
    exec.copy(exec.from(table.value.shape(), rounded_to_bytes(exec, table.value), DType::f64),
              table.value);
    const std::vector<double> expected =
        model.output(tape, tape.constant(hidden)).value().to_doubles();
    CHECK(relative_error(expected, before) > 1e-6);
    CHECK(relative_error(bytes.forward(tape, tokens).value().to_doubles(), expected) < 1e-9);
    DecodingState state;
    std::vector<double> decoded;
    for (int64_t i = 0; i < L; ++i)
      for (double x : bytes.forward(tape, tokens.narrow(1, i, 1), &state).value().to_doubles())
        decoded.push_back(x);
    CHECK(relative_error(decoded, expected) < 1e-9);
  }
}

}  // namespace star::liv
