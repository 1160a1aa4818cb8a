#include "liv/legality.h"

#include <algorithm>

#include "core/error.h"

namespace star::liv {
namespace {

// The legal combinations, stated as refusals. What star/README.md leaves open is decided here,
// towards one genome for one computation and towards operators that keep their fast form. A refusal
// says what is wrong once: it leaves alone what another refuses.
struct Case {
  const OperatorGenome& op;
  const std::vector<FeatureGroup>& groups;
  Mixing mixing = op.mixing();
  bool grouped = op.channels() == Channels::grouped;
  bool states = counts_states(op);
  bool around = reader(groups) && writer(groups);  // features on both sides of the values

  bool has(Role role) const { return find_group(groups, role); }
  const FeatureGroup& value() const { return *find_group(groups, Role::value); }
  template <class Test>
  int count(Test test) const {
    return int(std::count_if(groups.begin(), groups.end(),
                             [&](const FeatureGroup& g) { return test(g.role); }));
  }
};

struct OperatorRefusal {
  bool (*applies)(const Case&);
  const char* reason;
};

constexpr OperatorRefusal kOperatorRefusals[] = {
    // Roles that the token mixing needs.
    {[](const Case& c) { return !c.has(Role::value); }, "every operator needs a value v"},
    {[](const Case& c) { return c.mixing == Mixing::diagonal && !c.has(Role::gate); },
     "token mixing 1 (diagonal) needs a gate"},
    {[](const Case& c) {
       return (c.mixing == Mixing::low_rank || c.mixing == Mixing::toeplitz ||
               (c.mixing == Mixing::semi_separable && c.has(Role::dt) != c.has(Role::a) &&
                (c.has(Role::dt) || c.grouped))) &&
              !c.around;
     },
     "token mixing 2, 3, and 4 with dt or grouped channels, need features that read (q or C) and "
     "write (k or B)"},
    {[](const Case& c) {
       return c.mixing == Mixing::toeplitz && c.has(Role::kernel) == c.has(Role::filter);
     },
     "token mixing 3 (Toeplitz) needs a kernel or a filter, not both"},
    {[](const Case& c) {
       return c.mixing == Mixing::semi_separable && c.has(Role::dt) == c.has(Role::a);
     },
     "token mixing 4 (semi-separable) needs a transition dt or a, not both"},
    {[](const Case& c) { return c.count(reads) > 1 || c.count(writes) > 1; },
     "one group reads and one writes: q or C, k or B"},
    // Structure.
    {[](const Case& c) {
       return c.mixing == Mixing::diagonal && c.op.channels() != Channels::dense;
     },
     "token mixing 1 (diagonal) has dense channels, 2: nothing else mixes them"},
    {[](const Case& c) { return c.mixing == Mixing::low_rank && !c.grouped; },
     "token mixing 2 (low-rank) scores by head: its channel mixing is grouped, 3"},
    {[](const Case& c) {
       return c.mixing == Mixing::toeplitz && c.op.channels() != Channels::diagonal;
     },
     "token mixing 3 (Toeplitz) has a kernel a channel: its channel mixing is diagonal, 1"},
    {[](const Case& c) {
       return c.mixing == Mixing::semi_separable && c.op.channels() == Channels::dense;
     },
     "token mixing 4 (semi-separable) has diagonal or grouped channels: dense is left to o"},
    {[](const Case& c) {
       return c.op.sparsity() == Sparsity::banded && c.mixing != Mixing::low_rank;
     },
     "only token mixing 2 (low-rank) is banded: a diagonal already is, a kernel has its own "
     "length, a recurrence cannot forget at a distance"},
    {[](const Case& c) {
       return c.op.sparsity() == Sparsity::banded && kernel_normalised(c.op.entries());
     },
     "kernel-normalised entries are not banded: their running sums cannot forget at a distance"},
    {[](const Case& c) {
       return c.mixing == Mixing::diagonal && row_of(c.op.entries()).normalises;
     },
     "a diagonal entry normalised over its row is 1: nonlinearity 1, 3 or 4"},
    {[](const Case& c) {
       return (c.mixing == Mixing::toeplitz || c.mixing == Mixing::semi_separable) &&
              c.op.entries() != Entries::linear;
     },
     "a nonlinearity on the entries leaves token mixing 3 and 4 without a fast form: "
     "nonlinearity 1"},
    {[](const Case& c) {
       return c.mixing == Mixing::low_rank && c.around && kernel_normalised(c.op.entries()) &&
              (reader(c.groups)->activation() != Activation::elu_plus_one ||
               writer(c.groups)->activation() != Activation::elu_plus_one);
     },
     "kernel-normalised entries need elu+1 (7) on what reads and writes"},
    // Agreement between groups.
    {[](const Case& c) {
       return c.states && c.around && c.has(Role::dt) &&
              reader(c.groups)->expansion() != writer(c.groups)->expansion();
     },
     "what reads and what writes have the same number of states"},
    {[](const Case& c) {
       return c.mixing == Mixing::low_rank && writer(c.groups) && c.has(Role::value) &&
              writer(c.groups)->repeat() != c.value().repeat();
     },
     "keys and values repeat together"},
    {[](const Case& c) {
       return c.mixing == Mixing::semi_separable && c.grouped && c.has(Role::beta) &&
              writer(c.groups) && writer(c.groups)->activation() != Activation::unit_length;
     },
     "a write strength beta needs keys of unit length (8), or its transition may grow"},
};

struct GroupRefusal {
  bool (*applies)(const Case&, const FeatureGroup&);
  const char* reason;
};

// Made by a projection of the input; the kernel and the filter are not.
bool projected(const FeatureGroup& g) { return !is_kernel(g.role); }

bool per_head(const Case& c, const FeatureGroup& g) {
  return c.grouped && (g.role == Role::dt || g.role == Role::beta);
}

bool is_sigmoid(const FeatureGroup& g) {
  return g.activation() == Activation::sigmoid_with_bias || g.activation() == Activation::sigmoid;
}

// Roles whose nonlinearity a refusal of their own says.
bool has_transition_rule(Role role) {
  return role == Role::dt || role == Role::a || role == Role::beta;
}

bool counts_states(const Case& c, const FeatureGroup& g) {
  return c.states && (reads(g.role) || writes(g.role));
}

constexpr GroupRefusal kGroupRefusals[] = {
    {[](const Case& c, const FeatureGroup& g) {
       return c.count([&](Role role) { return role == g.role; }) > 1;
     },
     "a role that appears twice"},
    // A group that the structure does not use would be trained for nothing.
    {[](const Case& c, const FeatureGroup& g) {
       bool around = reads(g.role) || writes(g.role);
       return (g.role == Role::gate && c.mixing != Mixing::diagonal) ||
              (!projected(g) && c.mixing != Mixing::toeplitz) ||
              ((g.role == Role::dt || g.role == Role::a) && c.mixing != Mixing::semi_separable) ||
              (g.role == Role::beta && !(c.mixing == Mixing::semi_separable && c.grouped)) ||
              (around && (c.mixing == Mixing::diagonal ||
                          (c.mixing == Mixing::semi_separable && c.has(Role::a) && !c.grouped)));
     },
     "this operator has no use for the role"},
    // Channel mixing.
    {[](const Case&, const FeatureGroup& g) {
       return !projected(g) && g.projection() != Projection::diagonal;
     },
     "a kernel a channel: channel mixing 1"},
    {[](const Case& c, const FeatureGroup& g) {
       return projected(g) && (g.projection() == Projection::a_head) != per_head(c, g);
     },
     "one value a head (channel mixing 3) is for dt and beta of grouped channels, and only "
     "for them"},
    {[](const Case& c, const FeatureGroup& g) {
       return projected(g) && g.projection() == Projection::diagonal &&
              (g.expansion() != Expansion::one || g.repeat() != 1 || counts_states(c, g));
     },
     "diagonal channels (1) keep the width: no expansion, no repeat, no states"},
    // Token mixing.
    {[](const Case&, const FeatureGroup& g) {
       if (g.role == Role::filter) return g.along() != Along::implicit_filter;
       return !g.taps() && (g.role == Role::kernel || g.along() != Along::nothing);
     },
     "token mixing is 4 for filter, a convolution (3, 5, 6, 7) for kernel, that or 1 for the "
     "others"},
    // Width.
    {[](const Case& c, const FeatureGroup& g) {
       return !counts_states(c, g) && c.has(Role::value) && g.expansion() != c.value().expansion();
     },
     "groups take the expansion of v"},
    {[](const Case& c, const FeatureGroup& g) {
       return counts_states(c, g) &&
              (g.expansion() == Expansion::eight_thirds || g.expansion() == Expansion::half);
     },
     "the number of states is 1, 2, 4 or 16: expansion 1, 2, 3 or 5"},
    {[](const Case& c, const FeatureGroup& g) {
       return c.grouped && g.role == Role::value &&
              (g.expansion() == Expansion::eight_thirds || g.expansion() == Expansion::half);
     },
     "×8/3 and ×1/2 do not divide into heads of even width"},
    {[](const Case& c, const FeatureGroup& g) {
       return g.repeat() != 1 &&
              !(c.mixing == Mixing::low_rank && (writes(g.role) || g.role == Role::value));
     },
     "only keys and values of token mixing 2 are repeated: theirs is the cache that grows"},
    // Nonlinearity.
    {[](const Case&, const FeatureGroup& g) {
       return !projected(g) && g.activation() != Activation::none;
     },
     "a kernel is linear: nonlinearity 1"},
    {[](const Case&, const FeatureGroup& g) {
       return g.role == Role::dt && g.activation() != Activation::softplus_with_bias;
     },
     "a step dt is a softplus with bias, 5"},
    {[](const Case& c, const FeatureGroup& g) {
       return g.role == Role::a && !is_sigmoid(g) &&
              !(c.grouped && g.activation() == Activation::sigmoid_root_with_bias);
     },
     "a decay a lies between 0 and 1: a sigmoid, 6 or 9, or of grouped channels its root, b"},
    {[](const Case&, const FeatureGroup& g) {
       return g.role == Role::beta && !is_sigmoid(g) && g.activation() != Activation::twice_sigmoid;
     },
     "a write strength beta lies between 0 and 2: a sigmoid, 6 or 9, or twice one, a"},
    {[](const Case&, const FeatureGroup& g) {
       return projected(g) && !has_transition_rule(g.role) &&
              (g.activation() == Activation::twice_sigmoid ||
               g.activation() == Activation::sigmoid_root_with_bias);
     },
     "twice a sigmoid (a) is for beta, and the root of one (b) for a"},
    {[](const Case& c, const FeatureGroup& g) {
       return (g.activation() == Activation::unit_length ||
               g.activation() == Activation::unit_rms) &&
              !c.grouped && projected(g) && !has_transition_rule(g.role);
     },
     "unit length and unit RMS a head (8, c) need grouped channels"},
};

// The digits of `digits` that are out of range.
void check_range(std::string_view what, const Digits& digits, const Digits& limits,
                 std::vector<std::string>& reasons) {
  for (size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] < 1 || digits[i] > limits[i]) {
      reasons.push_back(
          fmt::format("{}: digit {} is {}, must be 1 to {}", what, i + 1, digits[i], limits[i]));
    }
  }
}

}  // namespace

std::vector<std::string> check_operator(const OperatorGenome& op,
                                        const std::vector<FeatureGroup>& groups) {
  std::vector<std::string> reasons;
  check_range("operator", op.digits, kOperatorLimits, reasons);
  for (const FeatureGroup& g : groups)
    check_range(text_of(g.role), g.digits, kGroupLimits, reasons);
  if (!reasons.empty()) return reasons;
  const Case c{op, groups};
  for (const OperatorRefusal& refusal : kOperatorRefusals) {
    if (refusal.applies(c)) reasons.push_back(refusal.reason);
  }
  for (const FeatureGroup& g : groups) {
    for (const GroupRefusal& refusal : kGroupRefusals) {
      if (refusal.applies(c, g))
        reasons.push_back(fmt::format("{}: {}", text_of(g.role), refusal.reason));
    }
  }
  return reasons;
}

std::vector<std::string> refusals() {
  std::vector<std::string> reasons;
  for (const OperatorRefusal& refusal : kOperatorRefusals) reasons.push_back(refusal.reason);
  for (const GroupRefusal& refusal : kGroupRefusals) reasons.push_back(refusal.reason);
  return reasons;
}

}  // namespace star::liv
