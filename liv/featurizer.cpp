#include "liv/featurizer.h"

#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/rows.h"
#include "autograd/sequence.h"
#include "autograd/views.h"
#include "core/counting.h"
#include "liv/toeplitz.h"

namespace star::liv {
namespace {

constexpr double kRmsFloor = 1e-6;  // beside the mean square that a head is divided by

bool has_bias(const FeatureGroup& g) { return has_bias(g.activation()); }
bool low_rank(const FeatureGroup& g) { return g.projection() == Projection::low_rank; }

// Keys and values of a low-rank operator: the cache that grows with the context.
bool cached(const Layout& layout, const FeatureGroup& g) {
  return layout.liv.op.mixing() == Mixing::low_rank &&
         !kernel_normalised(layout.liv.op.entries()) && (writes(g.role) || g.role == Role::value);
}

int64_t cached_rows(const Layout& layout) {
  return layout.liv.op.sparsity() == Sparsity::banded ? layout.sizes.window : kAllRows;
}

// What a state keeps of a group, behind what a contraction carries.
enum class Kept { conv_inputs, rows };
int number(Kept kept, const FeatureGroup& g) {
  return State::kCarried + 1 + 2 * int(g.role) + int(kept);
}

int64_t rank_of(const Layout& layout) { return (layout.sizes.width + 15) / 16; }

// With a bias, if one is given.
Var project(const FeatureGroup& g, const Weights& w, const Var& x, const Var* bias) {
  const Var& weight = w[{g.role, low_rank(g) ? Piece::b_weight : Piece::weight}];
  if (g.projection() == Projection::diagonal) return bias ? x * weight + *bias : x * weight;
  Var in = low_rank(g) ? linear(x, w[{g.role, Piece::a_weight}]) : x;
  return bias ? linear_onto(*bias, in, weight) : linear(in, weight);
}

// A convolution over x [B, L, C] and what came before it.
Var short_conv(const FeatureGroup& g, const Weights& w, const Var& x, State* state) {
  Var kernel = kernel_of_taps(w[{g.role, Piece::conv}]);
  if (!state) return conv(x, kernel);
  const int inputs = number(Kept::conv_inputs, g);
  const int64_t before = g.taps() - 1;
  Tensor all = state->extend(x.exec(), inputs, x.value(), before, before);
  return narrow(conv(x.tape().constant(all), kernel), 1, before, x.size(1));
}

// Projection, convolution and bias: what the nonlinearity of a group takes.
Var biased(const FeatureGroup& g, const Weights& w, const Var& x, State* state) {
  const Var* bias = has_bias(g) ? &w[{g.role, low_rank(g) ? Piece::b_bias : Piece::bias}] : nullptr;
  if (!g.taps()) return project(g, w, x, bias);
  Var u = short_conv(g, w, project(g, w, x, nullptr), state);
  return bias ? u + *bias : u;
}

Var channel_softmax(const Var& x) {
  int64_t channels = x.shape().back(), rows = x.value().numel() / channels;
  return reshape(softmax(reshape(x, {rows, 1, channels}), {channels - 1, 0}, 1), x.shape());
}

// Each head of e channels divided by the root of share · |head|² + floor.
Var divided_heads(const Var& x, int64_t e, double share, double floor) {
  Var by_head = reshape(x, {x.size(0), x.size(1), x.size(2) / e, e});
  return by_head / sqrt(scale(sum(square(by_head), {3}, true), share, floor));
}

Var activate(const Layout& layout, const FeatureGroup& g, const Weights& w, const Var& x) {
  const int64_t e = layout.head_width();
  if (auto f = pointwise(g)) return unary(*f, x);
  if (g.activation() == Activation::softmax) return channel_softmax(x);
  if (g.activation() == Activation::twice_sigmoid) return scale(sigmoid(x), 2);
  if (g.activation() == Activation::unit_length)
    return reshape(divided_heads(x, e, 1, 1e-12), x.shape());
  if (g.activation() == Activation::unit_rms)
    return reshape(divided_heads(x, e, 1 / double(e), kRmsFloor) * w[{g.role, Piece::norm}],
                   x.shape());
  return x;
}

Var rotate(const Layout& layout, const Var& x, int64_t position) {
  int64_t e = layout.head_width();
  return reshape(rotary(reshape(x, {x.size(0), x.size(1), x.size(2) / e, e}), position), x.shape());
}

Var feature(const Layout& layout, const FeatureGroup& g, const Weights& weights, const Var& x,
            int64_t position, State* state) {
  Var u = biased(g, weights, x, state);
  bool before = g.role == Role::a || (g.role == Role::z && pointwise(g));
  Var f = before ? u : activate(layout, g, weights, u);
  if (rotary(layout.liv.op) && (reads(g.role) || writes(g.role))) f = rotate(layout, f, position);
  if (!state || !cached(layout, g)) return f;
  const int rows = number(Kept::rows, g);
  return x.tape().constant(state->extend(x.exec(), rows, f.value(), cached_rows(layout)));
}

}  // namespace

std::optional<Unary> pointwise(const FeatureGroup& group) {
  switch (group.activation()) {
    case Activation::relu:
      return Unary::relu;
    case Activation::silu:
      return Unary::silu;
    case Activation::softplus_with_bias:
      return Unary::softplus;
    case Activation::sigmoid_with_bias:
    case Activation::sigmoid:
      return Unary::sigmoid;
    case Activation::elu_plus_one:
      return Unary::elu_plus_one;
    case Activation::none:
    case Activation::softmax:
    case Activation::unit_length:
    case Activation::twice_sigmoid:
    case Activation::sigmoid_root_with_bias:
    case Activation::unit_rms:
      return {};
  }
  fail("featurizer: activation {} of {} is unknown", int(group.activation()), text_of(group.role));
}

std::vector<ParameterSpec> feature_parameters(const Layout& layout, const FeatureGroup& g) {
  int64_t d = layout.sizes.width, out = layout.width_of(g);
  std::vector<ParameterSpec> specs;
  auto add = [&](Piece piece, Shape shape, bool decay, Initializer init) {
    specs.push_back({{g.role, piece}, shape, decay, std::move(init)});
  };
  if (g.role == Role::kernel) {
    // Like a linear map of its taps. Starting near the current token alone, a convolution learns to
    // look back only after a thousand steps more.
    add(Piece::taps, {out, g.taps()}, false, init::linear(g.taps()));
    return specs;
  }
  if (g.role == Role::filter) return filter_parameters(out, layout.sizes.seq);
  if (low_rank(g)) {
    add(Piece::a_weight, {rank_of(layout), d}, true, init::linear(d));
    add(Piece::b_weight, {out, rank_of(layout)}, true, init::linear(rank_of(layout)));
  } else if (g.projection() == Projection::diagonal) {
    add(Piece::weight, {d}, false, init::linear(1));
  } else {
    add(Piece::weight, {out, d}, true, init::linear(d));
  }
  if (has_bias(g)) {
    Initializer start = init::constant(0);
    if (g.role == Role::dt) start = init::softplus_log_uniform(1e-3, 0.1);
    if (g.role == Role::a) start = init::sigmoid_uniform(0.9, 0.999);
    if (g.activation() == Activation::sigmoid_root_with_bias)
      start = init::sigmoid_root_log_uniform(1e-3, 0.1);
    add(low_rank(g) ? Piece::b_bias : Piece::bias, {out}, false, start);
  }
  if (g.taps()) add(Piece::conv, {out, g.taps()}, false, init::current_tap(g.taps()));
  if (g.activation() == Activation::unit_rms)
    add(Piece::norm, {layout.head_width()}, false, init::constant(1));
  return specs;
}

void FeatureSet::take(const FeatureSet& from, Role role) {
  for (int part = 0; part < kParts; ++part) at(role, part) = from.at(role, part);
}

Features FeatureSet::part(int part) const { return {*this, part}; }

const Var& Features::operator[](Role role) const {
  const Var& f = all_->at(role, part_);
  require(f.defined(), "feature {} is missing", text_of(role));
  return f;
}

void featurize(const Layout& layout, const Weights& weights, const Var& x, FeatureSet& features,
               State* state) {
  const int64_t position = state ? state->position : 0;
  for (const FeatureGroup& g : layout.liv.groups) {
    if (is_kernel(g.role)) continue;  // not a function of the tokens
    for (int part = 0; part < layout.copies(g); ++part) {
      Var& f = features.at(g.role, part);
      if (f.defined()) continue;
      State* own = state && layout.copies(g) > 1 ? &state->part(part) : state;
      f = feature(layout, g, weights.part(part), x, position, own);
    }
  }
}

int64_t feature_cache(const Layout& layout, const FeatureGroup& g, int64_t context) {
  if (is_kernel(g.role)) return 0;
  int64_t floats = 0, out = layout.width_of(g);
  if (g.taps()) floats += (g.taps() - 1) * out;
  if (cached(layout, g)) {
    const int64_t rows = std::min(context, cached_rows(layout));
    floats = counted_sum("cache", floats, counted_product("cache", rows, out));
  }
  return floats;
}

double feature_work(const Layout& layout, const FeatureGroup& g) {
  double d = double(layout.sizes.width), out = double(layout.width_of(g));
  if (is_kernel(g.role)) return 0;
  double work = low_rank(g) ? double(rank_of(layout)) * (d + out)
                            : (g.projection() == Projection::diagonal ? d : d * out);
  return work + double(g.taps()) * out;
}

}  // namespace star::liv
