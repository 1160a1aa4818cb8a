// Featurization: how the features of an operator are computed from its input (star/README.md, level
// 1). A group is a projection of the channels, perhaps a short causal convolution, a bias and a
// nonlinearity; positions rotate what reads and what writes where scores are compared by angle.
#pragma once

#include <array>
#include <optional>

#include "autograd/state.h"
#include "liv/layout.h"
#include "liv/parameters.h"

namespace star::liv {

class Features;

// The features of one operator, by role and part, as finally used. Channels-last: [B, L, channels].
// While decoding, keys and values of low-rank operators cover all that is cached: [B, cached + L,
// channels]. `a` stands before its sigmoid, from which 1 − a follows without cancellation, and `z`
// before its nonlinearity where that is `pointwise`: the recurrence and the gate apply them on
// their way.
class FeatureSet {
 public:
  // Undefined until it is set. Value and output gate exist once, for all parts.
  Var& at(Role role, int part = 0) { return vars_[place(role, part)]; }
  const Var& at(Role role, int part = 0) const { return vars_[place(role, part)]; }
  // What another operator has of a role, in all parts.
  void take(const FeatureSet& from, Role role);
  Features part(int part) const;

 private:
  static size_t place(Role role, int part) {
    return size_t(role) * kParts + size_t(makes_map(role) ? part : 0);
  }
  std::array<Var, kRoles.size() * kParts> vars_;
};

// A view of one part of them.
class Features {
 public:
  Features(const FeatureSet& all, int part = 0) : all_(&all), part_(part) {}
  // Throws `Error` where there is none.
  const Var& operator[](Role role) const;

 private:
  const FeatureSet* all_;
  int part_;
};

// The nonlinearity of a group where it is a function of single numbers.
std::optional<Unary> pointwise(const FeatureGroup& group);

// Of one copy of the group.
std::vector<ParameterSpec> feature_parameters(const Layout& layout, const FeatureGroup& group);

// Sets those features of x [B, L, d] that are not there yet, from a donor. With a state, x continues
// what the state has seen, and the state is brought up to date.
void featurize(const Layout& layout, const Weights& weights, const Var& x, FeatureSet& features,
               State* state);

// What one copy of the group keeps for decoding at context c, in floats: convolution inputs, keys,
// values.
int64_t feature_cache(const Layout& layout, const FeatureGroup& group, int64_t context);

// Multiply-adds a token of one copy.
double feature_work(const Layout& layout, const FeatureGroup& group);

}  // namespace star::liv
