// Featurization: how the features of an operator are computed from its input (star/README.md, level
// 1). A group is a projection of the channels, perhaps a causal convolution of 3 taps, a bias and a
// nonlinearity; positions rotate what reads and what writes where scores are compared by angle.
#pragma once

#include <map>
#include <optional>

#include "autograd/state.h"
#include "liv/layout.h"
#include "liv/parameters.h"

namespace star {

// Features by role, or by Layout::name_of, as finally used. Channels-last: [B, L, channels]. While
// decoding, keys and values of low-rank operators cover all that is cached: [B, cached + L,
// channels]. `a` stands before its sigmoid, from which 1 − a follows without cancellation, and `z`
// before its nonlinearity where that is `pointwise`: the recurrence and the gate apply them on
// their way.
using Features = std::map<std::string, Var>;

// The nonlinearity of a group where it is a function of single numbers.
std::optional<Unary> pointwise(const FeatureGroup& group);

// Of one copy of the group.
std::vector<ParameterSpec> feature_parameters(const Layout& layout, const FeatureGroup& group);

// The features of x [B, L, d]. Groups that are in `reused` are taken from there. With a state, x
// continues what the state has seen, and the state is brought up to date.
Features featurize(const Layout& layout, const Weights& weights, const Var& x,
                   const Features& reused, State* state);

// What one copy of the group keeps for decoding at context c, in floats: convolution inputs, keys,
// values.
int64_t feature_cache(const Layout& layout, const FeatureGroup& group, int64_t context);

// Multiply-adds a token of one copy.
double feature_work(const Layout& layout, const FeatureGroup& group);

}  // namespace star
