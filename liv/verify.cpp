#include "liv/verify.h"

#include <cmath>

#include "liv/backbone.h"
#include "liv/random_operator.h"

namespace star {
namespace {

// Decodes x [1, L, d], the first `prefill` tokens at once; the largest difference between the
// cache and its formula goes to `cache`.
std::vector<double> decode(Exec& exec, const RandomOperator& random, const Tensor& x,
                           int64_t prefill, double& cache) {
  State state;
  std::vector<double> y;
  for (int64_t t = 0; t < x.size(1);) {
    int64_t to = std::max(t + 1, prefill);
    auto rows = random.apply(exec, tokens_between(exec, x, t, to), &state).to_doubles();
    y.insert(y.end(), rows.begin(), rows.end());
    int64_t expected = random.op.cache_floats(to, {}) / random.op.branches();
    cache = std::max(cache, std::abs(double(state.floats() - expected)));
    t = to;
  }
  return y;
}

void verify_branch(Exec& exec, const LivClass& liv, const Sizes& sizes, int64_t length,
                   uint64_t seed, std::vector<Check>& checks) {
  double cache = 0;
  for (DType dtype : {DType::f64, DType::f32}) {
    RandomOperator random(exec, liv, sizes, dtype, seed);
    Rng rng(seed, "verify.input");
    Tensor x = random_tensor(exec, rng, {1, length, sizes.width}, dtype);
    Tape tape(exec, false);
    Evidence e = gather(random.op, random.weights(tape), tape.constant(x));
    const char* precision = dtype == DType::f64 ? "float64" : "float32";
    auto compare = [&](const char* view, const std::vector<double>& y) {
      checks.push_back({fmt::format("{} {}", view, precision), 0, relative_error(y, e.parallel),
                        agreement(dtype)});
    };
    if (dtype == DType::f64)
      checks = certify(random.op.layout(), e);
    else
      compare("dense", e.dense);
    compare("recurrent", decode(exec, random, x, 0, cache));
    compare("prefill", decode(exec, random, x, length / 2, cache));
  }
  checks.push_back({"cache", 0, cache, 0});
}

Check count_parameters(Exec& exec, const LivClass& liv, const Sizes& sizes) {
  Block block{liv, std::vector<FeatureSource>(liv.groups.size(), {0, 0}), false};
  Backbone counted(nullptr, {block}, sizes), made(&exec, {block}, sizes);
  int64_t numbers = 0;
  for (auto& p : made.parameters())
    if (p.name.rfind("blocks.", 0) == 0) numbers += p.value.numel();
  return {"parameters", 0, std::abs(double(numbers - counted.layer_parameter_count(0))), 0};
}

}  // namespace

std::vector<Check> verify(Exec& exec, const LivClass& liv, const Sizes& sizes, int64_t length,
                          uint64_t seed) {
  int64_t least = least_length(Layout(liv, sizes));
  require(length >= least, "{}: its claims cannot fail on {} tokens; at least {} are needed",
          liv.name, length, least);
  std::vector<Check> all;
  for (int branch = 0; branch < (liv.differential ? 2 : 1); ++branch) {
    std::vector<Check> checks;
    verify_branch(exec, liv, sizes, length, Rng(seed, "verify.branch", uint64_t(branch)).bits(),
                  checks);
    for (Check& c : checks) {
      c.branch = branch;
      all.push_back(std::move(c));
    }
  }
  all.push_back(count_parameters(exec, liv, sizes));
  return all;
}

}  // namespace star
