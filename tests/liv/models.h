// Operators and models for tests, with weights away from their starting values, and inputs.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "liv/backbone.h"
#include "star/compiler.h"
#include "star/repair.h"

namespace star {

inline std::vector<double> normals(Rng& rng, int64_t count, double deviation = 1) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& v : values) v = deviation * rng.normal();
  return values;
}

inline Tensor random_tensor(Exec& exec, Rng& rng, const Shape& shape, DType dtype,
                            double deviation = 1) {
  return exec.from(shape, normals(rng, shape.numel(), deviation), dtype);
}

inline Tensor random_tokens(Exec& exec, Rng& rng, int64_t B, int64_t L, int64_t vocab) {
  std::vector<int32_t> tokens(size_t(B * L));
  for (int32_t& t : tokens) t = int32_t(rng.below(uint32_t(vocab)));
  return exec.from({B, L}, tokens);
}

// max|a − b| / max|b|; infinite where the sizes differ or a number is none.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
    worst = std::max(worst, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst == 0 ? 0 : worst / largest;
}

// What starts at 0 or 1 would hide a mistake: every parameter moves, those of linear maps so that
// features are of order 1.
inline Tensor moved_parameter(Exec& exec, Rng& rng, const Tensor& start, const std::string& name,
                              bool decay) {
  std::vector<double> values = start.to_doubles();
  double gain = name == "embed.weight" ? 25 : name.ends_with("o.weight") ? 2 : 1;
  for (double& v : values) v = decay ? gain * v : v + 0.3 * rng.normal();
  return exec.from(start.shape(), values, start.dtype());
}

inline Backbone random_model(Exec& exec, const std::string& genome, const Sizes& sizes, DType dtype,
                             uint64_t seed) {
  const Pool pool = extended_pool();
  Backbone model(&exec, compile(parse(genome, pool), pool), sizes, dtype, seed);
  Rng rng(seed, "test.model");
  for (auto& p : model.parameters())
    exec.copy(moved_parameter(exec, rng, p.value, p.name, p.decay), p.value);
  return model;
}

// The first class of a genome in its effective pool.
inline LivClass first_class(const std::string& genome) {
  const Pool pool = extended_pool();
  return *effective_pool(parse(genome, pool), pool).find(genome[0]);
}

// One branch of an operator with weights of its own.
class RandomOperator {
 public:
  RandomOperator(Exec& exec, const LivClass& liv, const Sizes& sizes, DType dtype, uint64_t seed)
      : op(liv, sizes), specs(op.parameters(1)) {
    for (auto& spec : specs) {
      Rng rng(seed, "test.operator", hash_text(spec.name));
      std::vector<double> start(size_t(spec.shape.numel()));
      spec.init(rng, start);
      Tensor fresh = exec.from(spec.shape, start, dtype);
      values.push_back(moved_parameter(exec, rng, fresh, spec.name, spec.decay));
    }
  }

  Weights weights(Tape& tape) const {
    Weights w;
    for (size_t i = 0; i < specs.size(); ++i) w.bind(specs[i].name, tape.constant(values[i]));
    return w;
  }

  // y [B, L, d] of x, and the features of the way.
  Tensor apply(Exec& exec, const Tensor& x, State* state = nullptr) const {
    Tape tape(exec, false);
    return op.apply(weights(tape), tape.constant(x), {}, state, nullptr).value();
  }

  Operator op;
  std::vector<ParameterSpec> specs;
  std::vector<Tensor> values;
};

// The tokens from … to of x [B, L, …].
inline Tensor tokens_between(Exec& exec, const Tensor& x, int64_t from, int64_t to) {
  return exec.contiguous(x.narrow(1, from, to - from));
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

}  // namespace star
