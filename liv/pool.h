// The pool of LIV classes: levels 1 and 2 of the genome as data (star/README.md).
//
// A class is an operator genome (five digits: featurizer, token mixing, sparsity, nonlinearity on
// the entries of T, channel mixing); its featurizer is a list of feature groups, each with a role
// and five digits (channel mixing, token mixing, expansion, repeat, nonlinearity).
// Digits are stored as their values (1, 2, …), identifiers as characters of base 36.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/layers.h"
#include "liv/digits.h"
#include "liv/role.h"

namespace star::liv {

int base36_value(char digit);  // 0 … 35; −1 unless one of 0-9a-z
char base36_digit(int value);  // value in 0 … 35

using Digits = std::array<int, 5>;
std::string digits_text(const Digits& digits);  // "12123"

// Each digit runs over 1 … its limit. The first digit of an operator is the id of a featurizer, so
// that its limit is the pool's.
inline constexpr Digits kOperatorLimits = {35, 4, 2, int(std::size(kEntries)), 3};
inline constexpr Digits kGroupLimits = {4, 7, 6, 3, 12};

struct FeatureGroup {
  Role role;
  Digits digits;
  Projection projection() const { return Projection(digits[0]); }
  Along along() const { return Along(digits[1]); }
  int taps() const;  // of a convolution; 0 without one
  Expansion expansion() const { return Expansion(digits[2]); }
  int repeat() const { return digits[3]; }
  Activation activation() const { return Activation(digits[4]); }
  bool operator==(const FeatureGroup&) const = default;
};

struct OperatorGenome {
  Digits digits;
  int featurizer() const { return digits[0]; }
  Mixing mixing() const { return Mixing(digits[1]); }
  Sparsity sparsity() const { return Sparsity(digits[2]); }
  Entries entries() const { return Entries(digits[3]); }
  Channels channels() const { return Channels(digits[4]); }
  bool operator==(const OperatorGenome&) const = default;
};

struct Featurizer {
  char id;  // base 36
  std::vector<FeatureGroup> groups;
  bool operator==(const Featurizer&) const = default;
};

struct LivClass {
  char id;                               // base 36
  std::string name;                      // "SA-1"
  bool differential;                     // T = T₀ − λT₁, both parts as in `base`
  char base;                             // the class itself unless differential
  OperatorGenome op;                     // of the base class
  std::vector<FeatureGroup> groups;      // of the base class
  std::vector<Role> shareable_weights;   // G groups: the bits of a featurizer strategy
  std::vector<Role> shareable_features;  // F features: the bits of a feature strategy
  bool operator==(const LivClass&) const = default;
};

struct Pool {
  std::vector<LivClass> classes;
  std::vector<Featurizer> featurizers;
  const LivClass* find(char id) const;               // null if absent
  const Featurizer* find_featurizer(char id) const;  // null if absent
  bool operator==(const Pool&) const = default;
};

Pool paper_pool();     // the 17 classes 1–9, a–h
Pool extended_pool();  // all of them, 1–9, a–t

// Recomputes what follows from operators and featurizers: the groups of every class and what it can
// share; differential classes take the operator of their base. Call it after changing either.
void derive(Pool& pool);

// The group with a role, or the one that does something; null if there is none.
const FeatureGroup* find_group(const std::vector<FeatureGroup>& groups, Role role);
const FeatureGroup* reader(const std::vector<FeatureGroup>& groups);
const FeatureGroup* writer(const std::vector<FeatureGroup>& groups);

// The role whose sharing a role follows: the transition for beta, itself for the others.
Role shared_with(const std::vector<FeatureGroup>& groups, Role role);
// What can be shared, in the order of the bits of a strategy.
std::vector<Role> shareable_weights(const std::vector<FeatureGroup>& groups);
std::vector<Role> shareable_features(const OperatorGenome& op,
                                     const std::vector<FeatureGroup>& groups);

bool rotary(const OperatorGenome& op);  // positions rotate the read and write features
bool scaled(const OperatorGenome& op);  // scores are multiplied by 1/√e
// The read and write features count states a channel, not channels.
bool counts_states(const OperatorGenome& op);

int taps_of(Along along);  // of a convolution; 0 for another
bool has_bias(Activation activation);
int expand(Expansion expansion, int width);  // the width that it makes; states of width 1
int repeats(int repeat);                     // 1, 2 or 4, from the digit

}  // namespace star::liv
