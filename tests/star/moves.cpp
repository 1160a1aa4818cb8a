// The changes of structure that a mutation makes, each where it is nearly the only one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "star/draft.h"
#include "star/variation.h"

namespace star::synthesis {
namespace {

std::string classes_of(const Genome& genome) {
  std::string ids;
  for (const Segment& s : genome.segments) ids += s.liv;
  return ids;
}

// Children of a genome, at a rate at which most have one change.
std::vector<Genome> children_of(const std::string& parent, const Pool& pool, int count) {
  VariationConfig config;
  const Genome genome = parse(parent, pool);
  config.min_depth = config.max_depth = int(genome.segments.size());
  config.rate = 0.02;
  std::vector<Genome> children;
  for (int i = 0; i < count; ++i) {
    Rng rng(24, "test.moves." + parent, uint64_t(i));
    children.push_back(mutate(rng, genome, pool, config));
  }
  return children;
}

// Of these, those of the classes `classes`.
std::vector<Genome> children_of(const std::string& parent, const Pool& pool, int count,
                                const std::string& classes) {
  std::vector<Genome> children = children_of(parent, pool, count);
  std::erase_if(children, [&](const Genome& child) { return classes_of(child) != classes; });
  return children;
}

template <class Test>
int number(const std::vector<Genome>& all, Test test) {
  return int(std::count_if(all.begin(), all.end(), test));
}

bool shared(const Genome& genome, size_t i) { return genome.segments[i].weight_strategy != 1; }

}  // namespace

TEST_CASE("moves: every child of a mutation is another genome") {
  const Pool pool = paper_pool();
  VariationConfig config;
  for (double rate : {0.02, 0.1, 0.5}) {
    config.rate = rate;
    Rng rng(25, "test.moves");
    Genome genome = named_genome("@transformer");
    for (int i = 0; i < 200; ++i) {
      const Genome child = mutate(rng, genome, pool, config);
      CHECK(child != genome);
      genome = child;
    }
  }
}

TEST_CASE("moves: LIVs exchange places and move, with whom they share; the composition stays") {
  const Pool pool = paper_pool();
  std::map<std::string, int> orders;
  int kept = 0, total = 0;
  for (const Genome& child : children_of("21212-511112-11111-21212", pool, 6000)) {
    const std::string classes = classes_of(child);
    std::string sorted = classes, parallel;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != "1225" || classes == "2512") continue;
    bool together = true;
    for (const Segment& s : child.segments) {
      parallel += s.parallel ? '2' : '1';
      if (s.liv == '2') together &= s.weight_strategy == 2 && s.feature_strategy == 2;
    }
    ++orders[classes];
    kept += together && parallel == "1211";
    ++total;
  }
  // By an exchange 5212, 1522, 2152, 2215 and 2521; by a move alone 5122, 2251, 1252 and 2125.
  for (const char* order :
       {"5212", "1522", "2152", "2215", "2521", "5122", "2251", "1252", "2125"}) {
    CAPTURE(order);
    CHECK(orders[order] > 5);
  }
  CHECK(kept > 0.8 * total);
}

TEST_CASE("moves: a copy of a LIV takes the place of another") {
  // So rare a class is drawn fifteen times less often than it is copied.
  const auto copied = children_of("11111-p1111", extended_pool(), 2000, "pp");
  CHECK(copied.size() > 40);
}

TEST_CASE("moves: LIVs join, leave and change over") {
  const Pool pool = paper_pool();
  for (const SharingKind& kind : kSharingKinds) {
    // To be in a group, and what it shares, in one step.
    std::set<int> strategies;
    for (const Genome& child : children_of("11111-11111", pool, 2000, "11")) {
      CHECK(child.segments[0].*kind.strategy == child.segments[1].*kind.strategy);
      strategies.insert(child.segments[0].*kind.strategy);
    }
    CHECK(strategies.size() == (kind.place == kWeightSharing.place ? 8 : 4));
  }
  // A pair parts, or shares something else.
  const auto pair = children_of("11311-11311", pool, 1000, "11");
  CHECK(number(pair, [](auto& child) { return !shared(child, 0); }) > 50);
  CHECK(number(pair, [](auto& child) {
          return shared(child, 0) && child.segments[0].weight_strategy != 3;
        }) > 50);
  // From the first to the second.
  const auto three = children_of("11211-11111-11211", pool, 2000, "111");
  CHECK(number(three, [](auto& child) { return !shared(child, 0) && shared(child, 2); }) > 10);
}

TEST_CASE("moves: who joins is as often in a group that is there as in a new one") {
  int present = 0, fresh = 0;
  const std::string five = "11211-11211-11111-11111-11111";
  for (const Genome& child : children_of(five, paper_pool(), 8000, "11111")) {
    const bool joined = shared(child, 0) && shared(child, 1) && shared(child, 4);
    if (joined && child.segments[4].weight_group == 1)
      present += !shared(child, 2) && !shared(child, 3);
    else
      fresh += joined;
  }
  CHECK(present + fresh > 50);
  CHECK(std::abs(present - fresh) < 4 * std::sqrt(present + fresh));
}

}  // namespace star::synthesis
