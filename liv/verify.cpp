#include "liv/verify.h"

#include <cmath>

#include "liv/backbone.h"
#include "liv/random_operator.h"

namespace star::liv {
namespace {

std::vector<Check> compare_views(Exec& exec, const LivClass& liv, const Sizes& sizes,
                                 int64_t length, uint64_t seed) {
  std::vector<Check> checks;
  double cache = 0;
  for (DType dtype : {DType::f64, DType::f32}) {
    RandomOperator random(exec, liv, sizes, dtype, seed);
    Rng rng(seed, "verify.input");
    Tensor x = random_tensor(exec, rng, {1, length, sizes.width}, dtype);
    Tape tape(exec, false);
    const std::vector<Var> values = random.on(tape);
    Testimony t = gather(random.op, random.weights(values), tape.constant(x));
    const char* precision = dtype_name(dtype);
    const double scale = random.scale(exec, x);
    auto compare = [&](const char* view, const std::vector<double>& y) {
      checks.push_back({fmt::format("{} {}", view, precision), "T",
                        relative_error(y, t.whole.parallel, scale), agreement(dtype)});
    };
    if (dtype == DType::f64)
      checks = certify(random.op.layout(), t);
    else
      compare("dense", t.whole.dense);
    auto step = [&](const Tensor& tokens, State& state) {
      return random.apply(exec, tokens, &state);
    };
    auto expected = [&](int64_t context) { return random.op.cache_floats(context, {}); };
    for (int64_t prefill : {int64_t(0), length / 2}) {
      Decoded decoded = decode(exec, x, prefill, step, expected);
      compare(prefill ? "prefill" : "recurrent", decoded.y);
      cache = std::max(cache, decoded.cache);
    }
  }
  checks.push_back({"cache", "T", cache, 0});
  return checks;
}

Check count_parameters(Exec& exec, const LivClass& liv, const Sizes& sizes) {
  Block block{liv, std::vector<FeatureSource>(liv.groups.size(), {0, 0}), false};
  Backbone counted(nullptr, {block}, sizes), made(&exec, {block}, sizes);
  int64_t numbers = 0;
  for (size_t i = 0; i < made.parameters().size(); ++i)
    if (made.shapes()[i].block == 0) numbers += made.parameters()[i].value.numel();
  return {"parameters", "T", std::abs(double(numbers - counted.layer_parameter_count(0))), 0};
}

}  // namespace

Decoded decode(Exec& exec, const Tensor& x, int64_t prefill, const DecodeStep& step,
               const std::function<int64_t(int64_t)>& cache_floats) {
  Decoded decoded;
  State state;
  for (int64_t t = 0; t < x.size(1);) {
    int64_t to = std::max(t + 1, prefill);
    auto rows = step(tokens_between(exec, x, t, to), state).to_doubles();
    decoded.y.insert(decoded.y.end(), rows.begin(), rows.end());
    double off = std::abs(double(state.floats() - cache_floats(to)));
    decoded.cache = std::max(decoded.cache, off);
    t = to;
  }
  return decoded;
}

std::vector<Check> verify(Exec& exec, const LivClass& liv, const Sizes& sizes, int64_t length,
                          uint64_t seed) {
  int64_t least = least_length(Layout(liv, sizes));
  require(length >= least, "{}: its claims cannot fail on {} tokens; at least {} are needed",
          liv.name, length, least);
  std::vector<Check> checks = compare_views(exec, liv, sizes, length, seed);
  checks.push_back(count_parameters(exec, liv, sizes));
  return checks;
}

}  // namespace star::liv
