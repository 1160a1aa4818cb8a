// Operators and models for tests, with weights away from their starting values, and inputs.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "liv/backbone.h"
#include "liv/certificate.h"
#include "liv/random_operator.h"
#include "star/compiler.h"
#include "star/repair.h"

namespace star::liv {

using namespace synthesis;  // models are written as genomes

inline std::vector<double> normals(Rng& rng, int64_t count, double deviation = 1) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& v : values) v = deviation * rng.normal();
  return values;
}

inline Tensor random_tokens(Exec& exec, Rng& rng, int64_t B, int64_t L, int64_t vocab) {
  std::vector<int32_t> tokens(size_t(B * L));
  for (int32_t& t : tokens) t = int32_t(rng.below(uint32_t(vocab)));
  return exec.from({B, L}, tokens);
}

inline Backbone random_model(Exec& exec, const std::string& genome, const Sizes& sizes, DType dtype,
                             uint64_t seed) {
  const Pool pool = extended_pool();
  Backbone model(&exec, compile(parse(genome, pool), pool), sizes, dtype, seed);
  Rng rng(seed, "test.model");
  auto gain = [](const std::string& name) {
    return name == "embed.weight" ? 25 : name.ends_with("o.weight") ? 2 : 1;
  };
  for (auto& p : model.parameters())
    exec.copy(moved_parameter(exec, rng, p.value, p.decay, gain(p.name)), p.value);
  return model;
}

// A LIV of every class, each with these digits after its own.
inline std::string with_all_classes(const std::string& digits) {
  std::string genome;
  for (const LivClass& c : extended_pool().classes)
    genome += (genome.empty() ? "" : "-") + std::string(1, c.id) + digits;
  return genome;
}

// The first class of a genome in its effective pool.
inline LivClass first_class(const std::string& genome) {
  const Pool pool = extended_pool();
  return *effective_pool(parse(genome, pool), pool).find(genome[0]);
}

// Segments of uniform digits, and now and then overrides of classes and featurizers: what repair
// makes a genome of.
inline std::string random_genome_text(Rng& rng, const Pool& pool, int depth, bool overrides) {
  auto digits = [&](int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += base36_digit(int(rng.below(rng.chance(0.5) ? 36 : 6)));
    return text;
  };
  std::string text;
  for (int l = 0; l < depth; ++l) {
    // Few classes and groups, so that much is shared.
    char liv = rng.chance(0.5) ? base36_digit(int(rng.below(36))) : l ? text[0] : '1';
    text += fmt::format("{}{}{}", l ? "-" : "", liv, digits(4 + int(rng.below(2))));
  }
  while (overrides && rng.chance(0.6)) {
    if (rng.chance(0.5)) {
      text += fmt::format("|{}:{}", pool.classes[rng.below(9)].id, digits(5));
      continue;
    }
    const Featurizer& f = pool.featurizers[rng.below(uint32_t(pool.featurizers.size()))];
    text += fmt::format("|%{}:", f.id);
    for (size_t g = 0; g < f.groups.size(); ++g) text += (g ? "," : "") + digits(5);
  }
  return text;
}

}  // namespace star::liv
