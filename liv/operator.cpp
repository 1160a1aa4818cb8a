#include "liv/operator.h"

#include <algorithm>
#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/plan.h"
#include "autograd/views.h"
#include "core/counting.h"

namespace star {
namespace {

// w ⊙ y of y [B, L, inner]; w holds a number a head where channels are grouped, else one a channel.
Var scaled_channels(const Layout& layout, const Var& w, const Var& y) {
  if (!layout.grouped()) return w * y;
  const int64_t heads = layout.sizes.heads;
  Var by_head = reshape(y, {y.size(0), y.size(1), heads, y.size(2) / heads});
  return reshape(reshape(w, {heads, 1}) * by_head, y.shape());
}

// T ← T + factor · w T′, w a number a row; without T′, the identity in its place.
void add_scaled(DenseCore& T, double factor, const std::vector<double>& w,
                const DenseCore* other = nullptr) {
  for (int64_t r = 0; r < T.rows; ++r)
    for (int64_t i = 0; i < T.length; ++i)
      for (int64_t j = other ? 0 : i; j <= i; ++j)
        T.at(r, i, j) += factor * w[size_t(r)] * (other ? other->at(r, i, j) : 1);
}

bool contains(std::span<const Role> roles, Role role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

}  // namespace

Operator::Operator(const LivClass& liv, const Sizes& sizes)
    : layout_(liv, sizes), mixing_(make_mixing(layout_)) {}

ContractionPlan Operator::plan(int64_t B, int64_t L, const Rates& rates) const {
  return mixing_->network().plan(mixing_->shapes(B, L), rates);
}

std::vector<ParameterSpec> Operator::parameters(int64_t depth) const {
  std::vector<ParameterSpec> all;
  const auto add = [&](const std::vector<ParameterSpec>& specs, int copies) {
    for (int copy = 0; copy < copies; ++copy)
      for (ParameterSpec spec : specs) {
        if (copies > 1) spec.part = copy;
        all.push_back(std::move(spec));
      }
  };
  for (const FeatureGroup& g : liv().groups) add(feature_parameters(layout_, g), layout_.copies(g));
  add(mixing_->parameters(), layout_.parts());
  const Shape scales{layout_.grouped() ? layout_.sizes.heads : layout_.inner()};
  if (skips()) all.push_back({Piece::D, scales, false, init::constant(1)});
  if (liv().differential) all.push_back({Piece::lambda, scales, false, init::constant(0.5)});
  double deviation = 1 / std::sqrt(3.0 * double(layout_.inner()) * 2 * double(depth));
  all.push_back({Piece::o, {layout_.sizes.width, layout_.inner()}, true, init::normal(deviation)});
  return all;
}

Var Operator::mix_part(const Weights& weights, const FeatureSet& features, State* state,
                       int part) const {
  State* own = state && layout_.parts() > 1 ? &state->part(part) : state;
  if (own) own->position = state->position;
  return mixing_->apply(features.part(part), weights.part(part), own);
}

Var Operator::mix(const Weights& weights, const Var& x, FeatureSet& features, State* state) const {
  featurize(layout_, weights, x, features, state);
  const Features f = features;
  Var y = mix_part(weights, features, state, 0);
  if (liv().differential)
    y = y - scaled_channels(layout_, weights[Piece::lambda], mix_part(weights, features, state, 1));
  if (skips()) y = y + scaled_channels(layout_, weights[Piece::D], f[Role::value]);
  if (const FeatureGroup* z = layout_.group(Role::z)) {
    auto nonlinear = pointwise(*z);
    y = nonlinear ? gated(*nonlinear, f[Role::z], y) : f[Role::z] * y;
  }
  if (state) state->position += x.size(1);
  return y;
}

Var Operator::apply(const Weights& weights, const Var& x, FeatureSet& features,
                    State* state) const {
  return linear(mix(weights, x, features, state), weights[Piece::o]);
}

Var Operator::apply_onto(const Var& h, const Weights& weights, const Var& x, FeatureSet& features,
                         State* state) const {
  return linear_onto(h, mix(weights, x, features, state), weights[Piece::o]);
}

DenseCore Operator::ungated(const Weights& weights, const FeatureSet& features, int part) const {
  return mixing_->materialize(features.part(part), weights.part(part));
}

DenseCore Operator::gated_rows(DenseCore core, const Features& f) const {
  const FeatureGroup* gate = layout_.group(Role::z);
  if (!gate) return core;
  auto nonlinear = pointwise(*gate);
  FeatureRows z(nonlinear ? unary(*nonlinear, f[Role::z]) : f[Role::z]);
  int64_t inner = layout_.inner(), share = inner / core.rows, L = core.length;
  DenseCore gated{inner, L, std::vector<double>(size_t(inner * L * L))};
  for (int64_t c = 0; c < inner; ++c)
    for (int64_t i = 0; i < L; ++i)
      for (int64_t j = 0; j < L; ++j) gated.at(c, i, j) = z.at(i, c) * core.at(c / share, i, j);
  return gated;
}

DenseCore Operator::materialize(const Weights& weights, const FeatureSet& features) const {
  DenseCore core = ungated(weights, features, 0);
  if (liv().differential) {
    const DenseCore other = ungated(weights, features, 1);
    add_scaled(core, -1, weights[Piece::lambda].value().to_doubles(), &other);
  }
  if (skips()) add_scaled(core, 1, weights[Piece::D].value().to_doubles());
  return gated_rows(std::move(core), features);
}

DenseCore Operator::materialize_part(const Weights& weights, const FeatureSet& features,
                                     int part) const {
  return gated_rows(ungated(weights, features, part), features);
}

DenseCore Operator::scores(const FeatureSet& features, int part) const {
  return mixing_->scores(features.part(part));
}

std::vector<double> Operator::apply_dense(const DenseCore& core, const Weights& weights,
                                          const FeatureSet& features) const {
  FeatureRows v(features.part(0)[Role::value]);
  std::vector<double> o = weights[Piece::o].value().to_doubles();
  int64_t inner = layout_.inner(), d = layout_.sizes.width, L = core.length;
  int64_t share = inner / core.rows, e = layout_.head_width(), kv = layout_.kv_heads();
  bool repeated = layout_.width_of(*layout_.group(Role::value)) != inner;
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

int64_t Operator::cache_floats(int64_t context, std::span<const Role> reused) const {
  int64_t floats = counted_product("cache", mixing_->cache(context), layout_.parts());
  for (const FeatureGroup& g : liv().groups) {
    if (contains(reused, g.role)) continue;
    const int64_t one = feature_cache(layout_, g, context);
    floats = counted_sum("cache", floats, counted_product("cache", one, layout_.copies(g)));
  }
  return floats;
}

double Operator::work(int64_t length, std::span<const Role> reused) const {
  const double inner = double(layout_.inner());
  double work = mixing_->work(length) * layout_.parts() + inner * double(layout_.sizes.width);
  for (bool scales : {layout_.group(Role::z) != nullptr, skips(), liv().differential})
    if (scales) work += inner;
  for (const FeatureGroup& g : liv().groups)
    if (!contains(reused, g.role)) work += feature_work(layout_, g) * layout_.copies(g);
  return work;
}

}  // namespace star
