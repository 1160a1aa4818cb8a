#include "star/variation.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"
#include "star/draft.h"
#include "star/repair.h"

namespace star {
namespace {

// A mutation that changes nothing is tried again this often.
constexpr int kMutations = 50;

// A value of 1 … n other than x; x where there is none.
int draw_other(Rng& rng, int n, int x) {
  if (n < 2) return x;
  const int other = 1 + int(rng.below(uint32_t(n - 1)));
  return other < x ? other : other + 1;
}

size_t place(Rng& rng, size_t n) { return rng.below(uint32_t(n)); }

size_t other_place(Rng& rng, size_t n, size_t x) {
  return size_t(draw_other(rng, int(n), int(x) + 1) - 1);
}

// Two LIVs change places, or one goes elsewhere, with whom they share; the composition stays.
void rearrange(Rng& rng, std::vector<Segment>& segments, bool swap) {
  const size_t n = segments.size(), from = place(rng, n), to = other_place(rng, n, from);
  std::vector<bool> parallel;
  for (const Segment& s : segments) parallel.push_back(s.parallel);
  const auto begin = segments.begin(), first = begin + long(from), second = begin + long(to);
  if (swap)
    std::iter_swap(first, second);
  else if (from < to)
    std::rotate(first, first + 1, second + 1);
  else
    std::rotate(second, first, first + 1);
  for (size_t i = 0; i < n; ++i) segments[i].parallel = parallel[i];
}

// A copy of a LIV takes the place of another.
void duplicate(Rng& rng, Draft& draft) {
  const size_t from = place(rng, draft.size()), to = other_place(rng, draft.size(), from);
  const bool parallel = draft[to].parallel;
  draft[to] = draft[from];
  draft[to].parallel = parallel;
}

// A LIV comes, a random one or a copy, or goes: equally likely, so that no depth is preferred.
void mutate_depth(Rng& rng, Draft& draft, const ClassShares& classes,
                  const VariationConfig& config) {
  const int depth = int(draft.size());
  if (rng.chance(0.5)) {
    if (depth > config.min_depth) draft.erase(draft.begin() + long(place(rng, draft.size())));
    return;
  }
  if (depth >= config.max_depth) return;
  DraftLiv newcomer = random_liv(rng, classes);
  if (rng.chance(0.5)) {
    const DraftLiv& original = draft[place(rng, draft.size())];
    newcomer.liv = original.liv;
    newcomer.links = original.links;
  }
  const size_t where = place(rng, draft.size() + 1);
  draft.insert(draft.begin() + long(where), newcomer);
  // Nothing stands before the first: the digit drawn is that of the one which now is second.
  if (where == 0) std::swap(draft[0].parallel, draft[1].parallel);
}

void mutate_link(Rng& rng, DraftLink& link, double rate) {
  const bool follows = link.state == DraftLink::State::follows;
  if (link.state != DraftLink::State::open && rng.chance(rate)) {
    if (follows && !redraw(rng, true, kSharing)) link = {DraftLink::State::apart};
    if (!follows && redraw(rng, false, kSharing)) link.state = DraftLink::State::follows;
  }
  if (follows && rng.chance(rate)) link.group = 0;
}

// A strategy is its group's.
void mutate_strategies(Rng& rng, Draft& draft, const Pool& pool, size_t kind, double rate) {
  std::map<int, int> strategy;
  for (DraftLiv& d : draft) {
    DraftLink& link = d.links[kind];
    if (link.group == 0) continue;
    const auto [it, is_new] = strategy.try_emplace(link.group, link.strategy);
    const int most = strategies((pool.find(d.liv)->*kSharingKinds[kind].shareable).size());
    if (is_new && rng.chance(rate)) it->second = 1 + draw_other(rng, most - 1, link.strategy - 1);
    link.strategy = it->second;
  }
}

Draft mutate_backbone(Rng& rng, std::vector<Segment> segments, const Pool& pool,
                      const VariationConfig& config) {
  const ClassShares classes(pool);
  const double rate = config.rate;
  const bool fixed = config.min_depth == config.max_depth;
  const bool moves = segments.size() > 1 && rng.chance(rate);
  const uint32_t move = moves ? rng.below(fixed ? 3 : 2) : 3;
  if (move < 2) rearrange(rng, segments, move == 0);
  Draft draft = draft_of(segments);
  if (move == 2) duplicate(rng, draft);
  for (size_t kind = 0; kind < kSharingKinds.size(); ++kind)
    mutate_strategies(rng, draft, pool, kind, rate);
  for (DraftLiv& d : draft) {
    const char liv = rng.chance(rate) ? classes.redraw(rng, d.liv) : d.liv;
    if (liv != d.liv) d = {liv, d.parallel};
    for (DraftLink& link : d.links) mutate_link(rng, link, rate);
    if (&d != &draft[0] && rng.chance(rate)) d.parallel = redraw(rng, d.parallel, kParallel);
  }
  if (!fixed && rng.chance(rate)) mutate_depth(rng, draft, classes, config);
  return draft;
}

bool mutate_digits(Rng& rng, Digits& digits, const Digits& limits, size_t first, double rate) {
  const Digits before = digits;
  for (size_t i = first; i < digits.size(); ++i) {
    if (rng.chance(rate)) digits[i] = draw_other(rng, limits[i], digits[i]);
  }
  return digits != before;
}

int other_featurizer(Rng& rng, const Pool& pool, int before) {
  const std::vector<Featurizer>& all = pool.featurizers;
  const auto is_before = [&](const Featurizer& f) { return base36_value(f.id) == before; };
  const auto found = std::find_if(all.begin(), all.end(), is_before);
  return base36_value(all[other_place(rng, all.size(), size_t(found - all.begin()))].id);
}

void mutate_operators(Rng& rng, Genome& genome, const Pool& pool, double rate) {
  const Pool effective = effective_pool(genome, pool);
  for (char id : operators_in_force(genome, effective)) {
    OperatorGenome op = effective.find(id)->op;
    const OperatorGenome before = op;
    if (rng.chance(rate)) op.digits[0] = other_featurizer(rng, pool, op.featurizer());
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
Draft cross(Rng& rng, const Draft& a, const Draft& b, int count) {
  std::vector<size_t> cuts(std::min(a.size(), b.size()) - 1);
  std::iota(cuts.begin(), cuts.end(), 1);
  rng.shuffle(cuts);
  cuts.resize(std::min(cuts.size(), size_t(count)));
  std::sort(cuts.begin(), cuts.end());
  Draft child;
  const Draft *from = &a, *other = &b;
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
  for (const auto* parent : {&a, &b})
    for (const Override& o : *parent) ids += o.*id;
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

// The draft under the overrides of `genome`, as far as these are legal.
Genome settled(Rng& rng, const Draft& draft, Genome genome, const Pool& pool) {
  genome.segments = apart(draft);
  genome = repair(std::move(genome), pool);
  Pool changed;
  genome.segments = settle(rng, draft, effective_pool(genome, pool, changed));
  return canonical(genome, pool);
}

Genome mutate_once(Rng& rng, const Genome& genome, const Pool& pool,
                   const VariationConfig& config) {
  Genome result = genome;
  Draft draft;
  if (config.backbone) {
    Pool changed;
    draft = mutate_backbone(rng, genome.segments, effective_pool(genome, pool, changed), config);
    result.segments = apart(draft);
  }
  if (config.operators) mutate_operators(rng, result, pool, config.rate);
  if (config.featurizers) mutate_featurizers(rng, result, pool, config.rate);
  return config.backbone ? settled(rng, draft, std::move(result), pool)
                         : canonical(repair(std::move(result), pool), pool);
}

}  // namespace

Genome random_genome(Rng& rng, const Pool& pool, int depth) {
  require(depth >= 1, "genome: depth {}, must be at least 1", depth);
  const ClassShares classes(pool);
  Draft draft;
  for (int i = 0; i < depth; ++i) draft.push_back(random_liv(rng, classes));
  return settled(rng, draft, {}, pool);
}

Genome random_genome(Rng& rng, const Pool& pool, const VariationConfig& config) {
  const int range = config.max_depth - config.min_depth + 1;
  Genome genome = random_genome(rng, pool, config.min_depth + int(place(rng, size_t(range))));
  if (!config.operators && !config.featurizers) return genome;
  VariationConfig levels = config;
  levels.backbone = false;
  return mutate(rng, genome, pool, levels);
}

Genome crossover(Rng& rng, const Genome& a, const Genome& b, const Pool& pool,
                 const VariationConfig& config) {
  Genome child{a.segments, cross_overrides(rng, a.operators, b.operators, &ClassOverride::liv),
               cross_overrides(rng, a.featurizers, b.featurizers, &FeaturizerOverride::id)};
  if (!config.backbone) return canonical(repair(std::move(child), pool), pool);
  const Draft draft = cross(rng, draft_of(a.segments, 0), draft_of(b.segments, 1), config.cuts);
  return settled(rng, draft, std::move(child), pool);
}

Genome mutate(Rng& rng, const Genome& genome, const Pool& pool, const VariationConfig& config) {
  const Genome before = canonical(genome, pool);
  Genome result = before;
  for (int i = 0; i < kMutations && result == before; ++i)
    result = mutate_once(rng, before, pool, config);
  return result;
}

}  // namespace star
