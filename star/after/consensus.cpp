#include "star/after/consensus.h"

#include <algorithm>
#include <optional>
#include <set>

#include "core/error.h"
#include "star/repair.h"

namespace star::synthesis {
namespace {

template <class T>
struct Winner {
  T value;
  int votes;
};

// The most frequent value, of equally frequent ones the first. `votes` are not empty.
template <class T>
Winner<T> majority(const std::vector<T>& votes) {
  Winner<T> best{votes[0], 0};
  for (const T& value : votes) {
    const int count = int(std::count(votes.begin(), votes.end(), value));
    if (count > best.votes) best = {value, count};
  }
  return best;
}

ConsensusPlace vote(const std::vector<Genome>& ranked, size_t place) {
  std::vector<char> classes;
  for (auto& genome : ranked)
    if (place < genome.segments.size()) classes.push_back(genome.segments[place].liv);
  const Winner<char> liv = majority(classes);
  std::vector<const Segment*> agreed;
  for (auto& genome : ranked)
    if (place < genome.segments.size() && genome.segments[place].liv == liv.value)
      agreed.push_back(&genome.segments[place]);
  auto most = [&](auto digit) {
    std::vector<std::decay_t<decltype(agreed[0]->*digit)>> digits;
    for (const Segment* segment : agreed) digits.push_back(segment->*digit);
    return majority(digits).value;
  };
  const Segment segment{liv.value,
                        most(&Segment::weight_group),
                        most(&Segment::weight_strategy),
                        most(&Segment::feature_group),
                        most(&Segment::feature_strategy),
                        most(&Segment::parallel)};
  return {segment, liv.votes, int(classes.size())};
}

// The featurizers of the classes of a backbone, and those that are overridden.
std::set<char> featurizers_in_force(const Genome& genome, const Pool& pool) {
  const Pool effective = effective_pool(genome, pool);
  std::set<char> ids;
  for (char id : operators_in_force(genome, effective))
    ids.insert(base36_digit(effective.find(id)->op.featurizer()));
  for (auto& o : genome.featurizers) ids.insert(o.id);
  return ids;
}

template <class Override>
std::optional<Override> override_of(const std::vector<Override>& all, char Override::*key,
                                    char id) {
  for (const Override& o : all)
    if (o.*key == id) return o;
  return {};
}

// For each id, what most of the genomes say for which it is in force.
void vote_overrides(const std::vector<Genome>& ranked, const Pool& pool, Genome& result) {
  std::set<char> classes, featurizers;
  for (auto& genome : ranked) {
    for (auto& o : genome.operators) classes.insert(o.liv);
    for (auto& o : genome.featurizers) featurizers.insert(o.id);
  }
  for (char id : classes) {
    std::vector<std::optional<ClassOverride>> votes;
    for (auto& genome : ranked) {
      const std::vector<char> in_force = operators_in_force(genome, pool);
      if (std::find(in_force.begin(), in_force.end(), id) != in_force.end())
        votes.push_back(override_of(genome.operators, &ClassOverride::liv, id));
    }
    if (auto most = majority(votes).value) result.operators.push_back(*most);
  }
  for (char id : featurizers) {
    std::vector<std::optional<FeaturizerOverride>> votes;
    for (auto& genome : ranked)
      if (featurizers_in_force(genome, pool).count(id))
        votes.push_back(override_of(genome.featurizers, &FeaturizerOverride::id, id));
    if (auto most = majority(votes).value) result.featurizers.push_back(*most);
  }
}

}  // namespace

Consensus consensus_of(const std::vector<Genome>& ranked, const Pool& pool) {
  require(!ranked.empty(), "consensus: there are no genomes");
  std::vector<size_t> depths;
  for (auto& genome : ranked) depths.push_back(genome.segments.size());
  const Winner<size_t> depth = majority(depths);
  Consensus consensus{{}, {}, depth.votes};
  Genome voted;
  for (size_t place = 0; place < depth.value; ++place) {
    consensus.places.push_back(vote(ranked, place));
    voted.segments.push_back(consensus.places.back().segment);
  }
  vote_overrides(ranked, pool, voted);
  consensus.genome = canonical(repair(std::move(voted), pool), pool);
  return consensus;
}

}  // namespace star::synthesis
