#include "star/variation.h"

#include <algorithm>
#include <numeric>

#include "star/repair.h"

namespace star {
namespace {

template <class Items>
const auto& pick(Rng& rng, const Items& items) {
  return items[rng.below(uint32_t(items.size()))];
}

int draw(Rng& rng, int n) { return 1 + int(rng.below(uint32_t(n))); }

void mutate_segment(Rng& rng, Segment& s, const Pool& pool, double rate) {
  if (rng.chance(rate)) s.liv = pick(rng, pool.classes).id;
  const LivClass& c = *pool.find(s.liv);
  for (const SharingKind& kind : {kWeightSharing, kFeatureSharing}) {
    if (rng.chance(rate)) s.*kind.group = draw(rng, kGroups);
    const int n = strategies((c.*kind.shareable).size());
    if (rng.chance(rate)) s.*kind.strategy = draw(rng, n);
  }
  if (rng.chance(rate)) s.parallel = draw(rng, 2) == 2;
}

void mutate_depth(Rng& rng, std::vector<Segment>& segments, const Pool& pool,
                  const VariationConfig& config) {
  const auto place = [&](size_t n) { return segments.begin() + long(rng.below(uint32_t(n))); };
  const int depth = int(segments.size());
  if (depth < config.max_depth && rng.chance(config.rate)) {
    const auto where = place(segments.size() + 1);
    segments.insert(where, random_segment(rng, pool));
  }
  if (depth > config.min_depth && rng.chance(config.rate)) segments.erase(place(segments.size()));
}

bool mutate_digits(Rng& rng, Digits& digits, const Digits& limits, size_t first, double rate) {
  const Digits before = digits;
  for (size_t i = first; i < digits.size(); ++i) {
    if (rng.chance(rate)) digits[i] = draw(rng, limits[i]);
  }
  return digits != before;
}

void mutate_operators(Rng& rng, Genome& genome, const Pool& pool, double rate) {
  const Pool effective = effective_pool(genome, pool);
  for (char id : operators_in_force(genome, effective)) {
    OperatorGenome op = effective.find(id)->op;
    const OperatorGenome before = op;
    if (rng.chance(rate)) op.digits[0] = base36_value(pick(rng, pool.featurizers).id);
    mutate_digits(rng, op.digits, kOperatorLimits, 1, rate);
    if (op == before) continue;
    std::erase_if(genome.operators, [&](const ClassOverride& o) { return o.liv == id; });
    genome.operators.push_back({id, op});
  }
}

void mutate_featurizers(Rng& rng, Genome& genome, const Pool& pool, double rate) {
  const Pool effective = effective_pool(genome, pool);
  std::string used;
  for (char id : operators_in_force(genome, effective)) {
    const char featurizer = base36_digit(effective.find(id)->op.featurizer());
    if (used.find(featurizer) == used.npos) used += featurizer;
  }
  for (char id : used) {
    FeaturizerOverride changed{id, {}};
    bool any = false;
    for (const FeatureGroup& group : effective.find_featurizer(id)->groups) {
      changed.groups.push_back(group.digits);
      any |= mutate_digits(rng, changed.groups.back(), kGroupLimits, 0, rate);
    }
    if (!any) continue;
    std::erase_if(genome.featurizers, [&](const FeaturizerOverride& o) { return o.id == id; });
    genome.featurizers.push_back(changed);
  }
}

// Pieces of `a` and `b` in turn, each in its place.
std::vector<Segment> cross_segments(Rng& rng, const std::vector<Segment>& a,
                                    const std::vector<Segment>& b, int count) {
  std::vector<size_t> cuts(std::min(a.size(), b.size()) - 1);
  std::iota(cuts.begin(), cuts.end(), 1);
  rng.shuffle(cuts);
  cuts.resize(std::min(cuts.size(), size_t(count)));
  std::sort(cuts.begin(), cuts.end());
  std::vector<Segment> child;
  const std::vector<Segment>*from = &a, *other = &b;
  for (size_t cut : cuts) {
    child.insert(child.end(), from->begin() + long(child.size()), from->begin() + long(cut));
    std::swap(from, other);
  }
  child.insert(child.end(), from->begin() + long(child.size()), from->end());
  return child;
}

// Each entry from either parent; where a parent has none for that id, that is what it gives.
template <class Override>
std::vector<Override> cross_overrides(Rng& rng, const std::vector<Override>& a,
                                      const std::vector<Override>& b, char Override::*id) {
  std::string ids;
  for (const auto* parent : {&a, &b}) {
    for (const Override& o : *parent) ids += o.*id;
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<Override> child;
  for (char wanted : ids) {
    for (const Override& o : rng.chance(0.5) ? a : b) {
      if (o.*id == wanted) child.push_back(o);
    }
  }
  return child;
}

}  // namespace

Genome random_genome(Rng& rng, const Pool& pool, const VariationConfig& config) {
  const int range = config.max_depth - config.min_depth + 1;
  Genome genome = random_genome(rng, pool, config.min_depth + draw(rng, range) - 1);
  if (!config.operators && !config.featurizers) return genome;
  VariationConfig levels = config;
  levels.backbone = false;
  return mutate(rng, genome, pool, levels);
}

Genome crossover(Rng& rng, const Genome& a, const Genome& b, const Pool& pool,
                 const VariationConfig& config) {
  Genome child;
  child.segments =
      config.backbone ? cross_segments(rng, a.segments, b.segments, config.cuts) : a.segments;
  child.operators = cross_overrides(rng, a.operators, b.operators, &ClassOverride::liv);
  child.featurizers = cross_overrides(rng, a.featurizers, b.featurizers, &FeaturizerOverride::id);
  return canonical(repair(std::move(child), pool), pool);
}

Genome mutate(Rng& rng, const Genome& genome, const Pool& pool, const VariationConfig& config) {
  Genome result = genome;
  if (config.backbone) {
    Pool changed;
    const Pool& effective = effective_pool(genome, pool, changed);
    for (Segment& s : result.segments) mutate_segment(rng, s, effective, config.rate);
    mutate_depth(rng, result.segments, effective, config);
  }
  if (config.operators) mutate_operators(rng, result, pool, config.rate);
  if (config.featurizers) mutate_featurizers(rng, result, pool, config.rate);
  return canonical(repair(std::move(result), pool), pool);
}

}  // namespace star
