#include "liv/operator.h"

#include <algorithm>
#include <cmath>

#include "autograd/contraction.h"
#include "autograd/elementwise.h"
#include "core/counting.h"

namespace star {

Operator::Operator(const LivClass& liv, const Sizes& sizes)
    : layout_(liv, sizes), mixing_(make_mixing(layout_)) {}

std::vector<ParameterSpec> Operator::parameters(int64_t depth) const {
  std::vector<ParameterSpec> all;
  for (const FeatureGroup& g : liv().groups)
    for (auto& spec : feature_parameters(layout_, g)) all.push_back(std::move(spec));
  for (auto& spec : mixing_->parameters()) all.push_back(std::move(spec));
  double deviation = 1 / std::sqrt(3.0 * double(layout_.inner()) * 2 * double(depth));
  all.push_back(
      {"o.weight", {layout_.sizes.width, layout_.inner()}, "", true, init::normal(deviation)});
  return all;
}

std::vector<ParameterSpec> Operator::common_parameters() const {
  if (!liv().differential) return {};
  return {{"lambda", {1}, "", false, init::constant(0.5)}};
}

Var Operator::mix(const Weights& weights, const Var& x, const Features& reused, State* state,
                  Features* features) const {
  Features f = featurize(layout_, weights, x, reused, state);
  Var y = mixing_->apply(f, weights, state);
  if (const FeatureGroup* z = layout_.group("z")) {
    auto nonlinear = pointwise(*z);
    y = nonlinear ? gated(*nonlinear, f.at("z"), y) : f.at("z") * y;
  }
  if (state) state->position += x.size(1);
  if (features) *features = std::move(f);
  return y;
}

Var Operator::apply(const Weights& weights, const Var& x, const Features& reused, State* state,
                    Features* features) const {
  return linear(mix(weights, x, reused, state, features), weights["o.weight"]);
}

Var Operator::apply_onto(const Var& h, const Weights& weights, const Var& x, const Features& reused,
                         State* state, Features* features) const {
  return linear_onto(h, mix(weights, x, reused, state, features), weights["o.weight"]);
}

DenseCore Operator::materialize(const Weights& weights, const Features& features) const {
  DenseCore core = mixing_->materialize(features, weights);
  const FeatureGroup* gate = layout_.group("z");
  if (!gate) return core;
  auto nonlinear = pointwise(*gate);
  FeatureRows z({{"z", nonlinear ? unary(*nonlinear, features.at("z")) : features.at("z")}}, "z");
  int64_t inner = layout_.inner(), share = inner / core.rows, L = core.length;
  DenseCore gated{inner, L, std::vector<double>(size_t(inner * L * L))};
  for (int64_t c = 0; c < inner; ++c)
    for (int64_t i = 0; i < L; ++i)
      for (int64_t j = 0; j < L; ++j) gated.at(c, i, j) = z.at(i, c) * core.at(c / share, i, j);
  return gated;
}

std::vector<double> Operator::apply_dense(const DenseCore& core, const Weights& weights,
                                          const Features& features) const {
  FeatureRows v(features, "v");
  std::vector<double> o = weights["o.weight"].value().to_doubles();
  int64_t inner = layout_.inner(), d = layout_.sizes.width, L = core.length;
  int64_t share = inner / core.rows, e = layout_.head_width(), kv = layout_.kv_heads();
  bool repeated = layout_.width_of(*layout_.group("v")) != inner;
  std::vector<double> y(size_t(L * d), 0.0);
  for (int64_t i = 0; i < L; ++i)
    for (int64_t c = 0; c < inner; ++c) {
      int64_t from = repeated ? c / e * kv / layout_.sizes.heads * e + c % e : c;
      double u = 0;
      for (int64_t j = 0; j < L; ++j) u += core.at(c / share, i, j) * v.at(j, from);
      for (int64_t a = 0; a < d; ++a) y[size_t(i * d + a)] += o[size_t(a * inner + c)] * u;
    }
  return y;
}

namespace {

bool contains(std::span<const std::string> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

int64_t Operator::cache_floats(int64_t context, std::span<const std::string> reused) const {
  int64_t floats = mixing_->cache(context);
  for (const FeatureGroup& g : liv().groups)
    if (!contains(reused, g.name))
      floats = counted_sum("cache", floats, feature_cache(layout_, g, context));
  return counted_product("cache", floats, branches());
}

double Operator::work(int64_t length, std::span<const std::string> reused) const {
  double work = mixing_->work(length) + double(layout_.inner()) * double(layout_.sizes.width);
  if (layout_.group("z")) work += double(layout_.inner());
  for (const FeatureGroup& g : liv().groups)
    if (!contains(reused, g.name)) work += feature_work(layout_, g);
  return work * branches();
}

}  // namespace star
