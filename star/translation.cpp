#include "star/translation.h"

#include <algorithm>
#include <map>

namespace star {
namespace {

// The classes of a backbone with one base, one plain and one differential at most: what one class
// of the other pool and its differential variant stand for.
struct Unit {
  char base;
  char plain = 0, differential = 0;  // ids in the backbone; 0 for none
  const LivClass* liv;
};

std::vector<Unit> units_of(const Genome& genome, const Pool& effective) {
  std::vector<Unit> units;
  for (const Segment& s : genome.segments) {
    const LivClass& c = *effective.find(s.liv);
    const auto slot = c.differential ? &Unit::differential : &Unit::plain;
    auto fits = [&](const Unit& u) { return u.base == c.base && (!(u.*slot) || u.*slot == c.id); };
    auto unit = std::find_if(units.begin(), units.end(), fits);
    if (unit == units.end()) unit = units.insert(unit, {c.base, 0, 0, &c});
    (*unit).*slot = c.id;
  }
  return units;
}

bool same_roles(const std::vector<FeatureGroup>& a, const std::vector<FeatureGroup>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](auto& x, auto& y) { return x.role == y.role; });
}

// Gives every item a candidate of its own: the first for which `fits` holds, in the order of the
// preferences. False if one goes without.
template <class Items, class Candidates, class Fits>
bool assign(const Items& items, const Candidates& candidates, int preferences, const Fits& fits,
            std::vector<const typename Candidates::value_type*>& chosen) {
  chosen.assign(items.size(), nullptr);
  for (int preference = 0; preference < preferences; ++preference) {
    for (size_t i = 0; i < items.size(); ++i) {
      for (auto& candidate : candidates) {
        const bool taken = std::find(chosen.begin(), chosen.end(), &candidate) != chosen.end();
        if (!chosen[i] && !taken && fits(items[i], candidate, preference)) chosen[i] = &candidate;
      }
    }
  }
  return std::find(chosen.begin(), chosen.end(), nullptr) == chosen.end();
}

const LivClass* differential_of(char base, const Pool& pool) {
  for (const LivClass& c : pool.classes) {
    if (c.differential && c.base == base) return &c;
  }
  return nullptr;
}

// The featurizers of the units, those of equal groups once.
std::vector<Featurizer> featurizers_of(const std::vector<Unit>& units) {
  std::vector<Featurizer> featurizers;
  for (const Unit& u : units) {
    auto equal = [&](const Featurizer& f) { return f.groups == u.liv->groups; };
    if (std::none_of(featurizers.begin(), featurizers.end(), equal))
      featurizers.push_back({base36_digit(u.liv->op.featurizer()), u.liv->groups});
  }
  return featurizers;
}

}  // namespace

std::optional<Genome> translate(const Genome& genome, const Pool& from, const Pool& to) {
  const Pool effective = effective_pool(genome, from);
  const std::vector<Unit> units = units_of(genome, effective);
  const std::vector<Featurizer> featurizers = featurizers_of(units);

  // The own id, or else one that needs no override, or else any.
  auto featurizer_fits = [](const Featurizer& f, const Featurizer& target, int preference) {
    return same_roles(f.groups, target.groups) &&
           (preference == 2 || (preference == 1 ? f.groups == target.groups : f.id == target.id));
  };
  std::vector<const Featurizer*> homes;
  if (!assign(featurizers, to.featurizers, 3, featurizer_fits, homes)) return std::nullopt;
  auto home_of = [&](const LivClass& c) {
    size_t i = 0;
    while (featurizers[i].groups != c.groups) ++i;
    return homes[i];
  };
  auto operator_of = [&](const Unit& u) {
    OperatorGenome op = u.liv->op;
    op.digits[0] = base36_value(home_of(*u.liv)->id);
    return op;
  };
  auto class_fits = [&](const Unit& u, const LivClass& target, int preference) {
    if (target.differential || (u.differential && !differential_of(target.id, to))) return false;
    return preference == 2 || (preference == 1 ? operator_of(u) == target.op : u.base == target.id);
  };
  std::vector<const LivClass*> targets;
  if (!assign(units, to.classes, 3, class_fits, targets)) return std::nullopt;

  Genome result;
  std::map<char, char> ids;
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].plain) ids[units[i].plain] = targets[i]->id;
    if (units[i].differential) ids[units[i].differential] = differential_of(targets[i]->id, to)->id;
    result.operators.push_back({targets[i]->id, operator_of(units[i])});
  }
  for (size_t i = 0; i < featurizers.size(); ++i) {
    result.featurizers.push_back({homes[i]->id, {}});
    for (const FeatureGroup& g : featurizers[i].groups)
      result.featurizers.back().groups.push_back(g.digits);
  }
  result.segments = genome.segments;
  for (Segment& s : result.segments) s.liv = ids[s.liv];
  return canonical(result, to);
}

}  // namespace star
