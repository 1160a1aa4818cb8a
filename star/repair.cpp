#include "star/repair.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"
#include "liv/legality.h"
#include "star/genome_tokens.h"

namespace star {
namespace {

int wrap(int x, int n) { return ((x - 1) % n + n) % n + 1; }

// The members of `items` (classes or featurizers) wrapped over by the value of an id.
template <class Item>
char wrap_id(char id, const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.id == id) return id;
  }
  return items[size_t(wrap(base36_value(id), int(items.size())) - 1)].id;
}

int raw_digit(std::string_view token, size_t i) {
  return i < token.size() ? base36_value(token[i]) : 1;
}

Digits raw_digits(std::string_view token) {
  Digits digits;
  for (size_t i = 0; i < digits.size(); ++i) digits[i] = raw_digit(token, i);
  return digits;
}

// The overrides, each for a class or featurizer of the pool of its own, with digits in range.
void repair_overrides(Genome& genome, const Pool& pool) {
  Genome repaired;
  for (ClassOverride o : genome.operators) {
    const LivClass* c = pool.find(wrap_id(o.liv, pool.classes));
    if (c->differential) c = pool.find(c->base);
    if (!c) continue;
    o.liv = c->id;
    const char featurizer = base36_digit(((o.op.digits[0] % 36) + 36) % 36);
    o.op.digits[0] = base36_value(wrap_id(featurizer, pool.featurizers));
    for (size_t i = 1; i < 5; ++i) o.op.digits[i] = wrap(o.op.digits[i], kOperatorLimits[i]);
    auto& all = repaired.operators;
    if (std::none_of(all.begin(), all.end(), [&](auto& x) { return x.liv == o.liv; }))
      all.push_back(o);
  }
  for (FeaturizerOverride o : genome.featurizers) {
    o.id = wrap_id(o.id, pool.featurizers);
    const std::vector<FeatureGroup>& groups = pool.find_featurizer(o.id)->groups;
    o.groups.resize(std::min(o.groups.size(), groups.size()));
    for (Digits& digits : o.groups) {
      for (size_t i = 0; i < 5; ++i) digits[i] = wrap(digits[i], kGroupLimits[i]);
    }
    while (o.groups.size() < groups.size()) o.groups.push_back(groups[o.groups.size()].digits);
    auto& all = repaired.featurizers;
    if (std::none_of(all.begin(), all.end(), [&](auto& x) { return x.id == o.id; }))
      all.push_back(o);
  }
  genome.operators = repaired.operators;
  genome.featurizers = repaired.featurizers;
}

// The operator of a class, and its featurizer, with the overrides in force.
OperatorGenome operator_of(char id, const Genome& genome, const Pool& pool) {
  for (const ClassOverride& o : genome.operators) {
    if (o.liv == id) return o.op;
  }
  return pool.find(id)->op;
}

char featurizer_of(char id, const Genome& genome, const Pool& pool) {
  return base36_digit(operator_of(id, genome, pool).featurizer());
}

// The number of reasons against the operator of a class.
size_t refusals_of(char id, const Genome& genome, const Pool& pool) {
  const char featurizer = featurizer_of(id, genome, pool);
  std::vector<FeatureGroup> groups = pool.find_featurizer(featurizer)->groups;
  for (const FeaturizerOverride& o : genome.featurizers) {
    for (size_t g = 0; o.id == featurizer && g < groups.size(); ++g) groups[g].digits = o.groups[g];
  }
  return check_operator(operator_of(id, genome, pool), groups).size();
}

// A digit of an override and the values that it may take.
struct OverrideDigit {
  int* digit;
  std::vector<int> values;
};

std::vector<int> range(int n) {
  std::vector<int> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), 1);
  return values;
}

void append_digits(ClassOverride& o, const Pool& pool, std::vector<OverrideDigit>& digits) {
  std::vector<int> featurizers;
  for (const Featurizer& f : pool.featurizers) featurizers.push_back(base36_value(f.id));
  digits.push_back({&o.op.digits[0], featurizers});
  for (size_t i = 1; i < 5; ++i) digits.push_back({&o.op.digits[i], range(kOperatorLimits[i])});
}

void append_digits(FeaturizerOverride& o, std::vector<OverrideDigit>& digits) {
  for (Digits& group : o.groups) {
    for (size_t i = 0; i < 5; ++i) digits.push_back({&group[i], range(kGroupLimits[i])});
  }
}

// Of the digits that the refused operator of class `id` depends on, changes the one that leaves the
// fewest refusals; of equals by the smallest step, then the first. False if none leaves fewer.
bool settle_one_digit(char id, Genome& genome, const Pool& pool) {
  const char featurizer = featurizer_of(id, genome, pool);
  std::vector<OverrideDigit> digits;
  for (ClassOverride& o : genome.operators) {
    if (o.liv == id) append_digits(o, pool, digits);
  }
  for (FeaturizerOverride& o : genome.featurizers) {
    if (o.id == featurizer) append_digits(o, digits);
  }
  // No other operator can change by these digits.
  std::vector<char> users = operators_in_force(genome, pool);
  std::erase_if(users, [&](char c) { return featurizer_of(c, genome, pool) != featurizer; });
  const auto count = [&] {
    size_t refusals = 0;
    for (char user : users) refusals += refusals_of(user, genome, pool);
    return refusals;
  };
  size_t fewest = count();
  int* best = nullptr;
  int best_value = 0, best_step = 0;
  for (const OverrideDigit& d : digits) {
    const int before = *d.digit;
    for (int value : d.values) {
      *d.digit = value;
      const size_t left = count();
      const int step = std::abs(value - before);
      if (left < fewest || (best && left == fewest && step < best_step))
        best = d.digit, best_value = value, best_step = step, fewest = left;
    }
    *d.digit = before;
  }
  if (best) *best = best_value;
  return best;
}

// Gives the refused operator of class `id` back what the pool has: its featurizer, or else its
// digits.
void drop_override(char id, Genome& genome, const Pool& pool) {
  const char featurizer = featurizer_of(id, genome, pool);
  const auto of_featurizer = [&](const FeaturizerOverride& o) { return o.id == featurizer; };
  if (std::erase_if(genome.featurizers, of_featurizer) > 0) return;
  const auto of_class = [&](const ClassOverride& o) { return o.liv == id; };
  require(std::erase_if(genome.operators, of_class) > 0,
          "pool: the operator of class {} is illegal", id);
}

// The first class whose operator is refused; 0 if there is none.
char first_refused(const Genome& genome, const Pool& pool) {
  for (char id : operators_in_force(genome, pool)) {
    if (refusals_of(id, genome, pool) > 0) return id;
  }
  return 0;
}

// Each round leaves fewer refusals or fewer overrides, and without overrides the pool is legal.
void repair_operators(Genome& genome, const Pool& pool) {
  while (const char id = first_refused(genome, pool)) {
    if (!settle_one_digit(id, genome, pool)) drop_override(id, genome, pool);
  }
}

void repair_sharing(std::vector<Segment>& segments, const Pool& pool, const SharingKind& kind) {
  for (Segment& s : segments) {
    const size_t n = (pool.find(s.liv)->*kind.shareable).size();
    s.*kind.group = wrap(s.*kind.group, kGroups);
    s.*kind.strategy = wrap(s.*kind.strategy, strategies(n));
  }
  for (const std::vector<int>& members : sharing_groups(segments, kind)) {
    const int donors = segments[size_t(members[0])].*kind.strategy;
    for (int member : members)
      segments[size_t(member)].*kind.strategy = members.size() == 1 ? 1 : donors;
  }
}

}  // namespace

Genome repair(Genome genome, const Pool& pool) {
  if (genome.segments.empty()) genome.segments.push_back({'1', 1, 1, 1, 1, false});
  for (Segment& s : genome.segments) s.liv = wrap_id(s.liv, pool.classes);
  genome.segments[0].parallel = false;
  if (genome.has_overrides()) {
    repair_overrides(genome, pool);
    repair_operators(genome, pool);
  }
  Pool changed;
  const Pool& effective = effective_pool(genome, pool, changed);
  repair_sharing(genome.segments, effective, kWeightSharing);
  repair_sharing(genome.segments, effective, kFeatureSharing);
  return genome;
}

Genome repair(std::string_view text, const Pool& pool) {
  std::vector<std::string> errors;
  const GenomeTokens tokens = tokenize(text, errors);
  if (!errors.empty()) fail("genome: {}", errors[0]);
  Genome genome;
  for (std::string_view token : tokens.segments) {
    const Digits digits = raw_digits(token);
    const bool parallel = token.size() == 6 && wrap(base36_value(token[5]), 2) == 2;
    genome.segments.push_back(
        {base36_digit(digits[0]), digits[1], digits[2], digits[3], digits[4], parallel});
  }
  for (const OverrideTokens& o : tokens.overrides) {
    if (!o.featurizer) {
      genome.operators.push_back({o.id, {raw_digits(o.groups[0])}});
      continue;
    }
    genome.featurizers.push_back({o.id, {}});
    for (std::string_view group : o.groups)
      genome.featurizers.back().groups.push_back(raw_digits(group));
  }
  return repair(std::move(genome), pool);
}

std::vector<Genome> neighbours(const Genome& genome, const Pool& pool) {
  const std::string own = to_text(canonical(genome, pool));
  std::map<std::string, Genome> found;
  Genome changed = genome;
  auto visit = [&] {
    Genome neighbour = canonical(repair(changed, pool), pool);
    std::string text = to_text(neighbour);
    if (text != own) found.emplace(std::move(text), std::move(neighbour));
  };
  const Pool effective = effective_pool(genome, pool);
  for (Segment& s : changed.segments) {
    const Segment before = s;
    for (const LivClass& c : pool.classes) s.liv = c.id, visit();
    s = before;
    for (const SharingKind& kind : {kWeightSharing, kFeatureSharing}) {
      for (int x = 1; x <= kGroups; ++x) s.*kind.group = x, visit();
      s = before;
      const size_t n = (effective.find(s.liv)->*kind.shareable).size();
      for (int x = 1; x <= strategies(n); ++x) s.*kind.strategy = x, visit();
      s = before;
    }
    s.parallel = !s.parallel, visit();
    s = before;
  }
  std::vector<OverrideDigit> digits;
  for (ClassOverride& o : changed.operators) append_digits(o, pool, digits);
  for (FeaturizerOverride& o : changed.featurizers) append_digits(o, digits);
  for (const OverrideDigit& d : digits) {
    const int before = *d.digit;
    for (int value : d.values) *d.digit = value, visit();
    *d.digit = before;
  }
  std::vector<Genome> result;
  for (auto& [text, neighbour] : found) result.push_back(std::move(neighbour));
  return result;
}

}  // namespace star
