// Breeding without selection keeps what random genomes have; with it, sharing is found.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "liv/backbone.h"
#include "star/compiler.h"
#include "star/evolution.h"
#include "star/objectives.h"
#include "star/shares.h"

namespace star::synthesis {
namespace {

// What is counted in a population: a share of its LIVs or, of a genome, of its genomes.
using Marginals = std::map<std::string, double>;

void count_sharing(const Genome& genome, const SharingKind& kind, double liv, double whole,
                   Marginals& m) {
  const std::string name = kind.place == kWeightSharing.place ? "weights" : "features";
  bool any = false;
  for (const Segment& s : genome.segments) {
    const int strategy = s.*kind.strategy;
    if (strategy == 1) continue;
    any = true;
    m[name + " shared"] += liv;
    m[fmt::format("{} group {}", name, s.*kind.group)] += liv;
    m[fmt::format("{} of {}, {}", name, s.liv == '9' ? "channel mixers" : "mixers",
                  s.liv == '9' ? strategy : std::min(strategy, 3))] += liv;
  }
  m[name + " shared in genome"] += any * whole;
}

Marginals marginals_of(const std::vector<Genome>& genomes) {
  Marginals m;
  const double whole = 1 / double(genomes.size());
  for (const Genome& genome : genomes) {
    const double liv = whole / double(genome.segments.size());
    for (const Segment& s : genome.segments) {
      m[fmt::format("class {}", s.liv)] += liv;
      m["parallel"] += s.parallel * liv;
    }
    count_sharing(genome, kWeightSharing, liv, whole, m);
    count_sharing(genome, kFeatureSharing, liv, whole, m);
    m[fmt::format("depth {}", genome.segments.size())] += whole;
  }
  return m;
}

// A generation of which every genome is parent twice: the same for all, and chance changes least.
std::vector<Genome> drifted(Rng& rng, const std::vector<Genome>& parents, const Pool& pool,
                            const VariationConfig& config) {
  std::vector<size_t> order(parents.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  rng.shuffle(order);
  std::vector<Genome> children;
  for (size_t i = 0; i < order.size(); ++i) {
    const Genome &a = parents[order[i]], &b = parents[order[(i + 1) % order.size()]];
    children.push_back(mutate(rng, crossover(rng, a, b, pool, config), pool, config));
  }
  return children;
}

double cache_of(const Genome& genome, const Pool& pool) {
  const Sizes sizes = {16, 4, 256, 16, 8};
  return static_metrics(Backbone(nullptr, compile(genome, pool), sizes), 4096).at("cache");
}

// The cache, of genomes with four LIVs of attention at least.
Fitness cache_alone(const Genome& genome, const Pool& pool) {
  const auto attention = [&](const Segment& s) {
    return pool.find(s.liv)->op.entries() == Entries::softmax;
  };
  const auto count = std::count_if(genome.segments.begin(), genome.segments.end(), attention);
  return {{cache_of(genome, pool)}, std::max(0.0, 4 - double(count))};
}

}  // namespace

TEST_CASE("drift: ten generations without selection keep the shares of every digit") {
  // What occurs less often than this is lost in the noise: of 12,000 genomes of eight LIVs 1 % are
  // 960, counted twice with a deviation of 31 each, so that a fifth is more than four deviations.
  constexpr size_t kGenomes = 12000;
  constexpr double kLeast = 0.01;
  const Pool pool = paper_pool();
  for (int deepest : {8, 10}) {
    VariationConfig config;
    config.max_depth = deepest;
    Rng rng(1, "test.drift", uint64_t(deepest));
    std::vector<Genome> genomes;
    for (size_t i = 0; i < kGenomes; ++i) genomes.push_back(random_genome(rng, pool, config));
    const Marginals before = marginals_of(genomes);
    for (int i = 0; i < 10; ++i) genomes = drifted(rng, genomes, pool, config);
    const Marginals after = marginals_of(genomes);
    int judged = 0;
    for (auto& [name, share] : before) {
      if (share < kLeast) continue;
      CAPTURE(name);
      const double change = after.count(name) ? after.at(name) / share - 1 : -1;
      CHECK(std::abs(change) < 0.2);
      ++judged;
    }
    CHECK(judged > 30);
  }
}

TEST_CASE("drift: selected for cache alone, attention comes to share keys and values") {
  constexpr int kSearches = 24;
  int sharing = 0, single = 0;
  for (uint64_t seed = 0; seed < kSearches; ++seed) {
    EvolutionConfig config;
    config.seed = seed;
    config.pool = paper_pool();
    Evolution evolution("nsga2", config);
    Genome best;
    double least = INFINITY;
    for (int generation = 0; generation < 25; ++generation) {
      std::vector<Fitness> results;
      for (const Offspring& o : evolution.ask(config.population)) {
        results.push_back(cache_alone(o.genome, config.pool));
        const double cache = results.back().objectives[0];
        if (results.back().violation > 0 || cache >= least) continue;
        least = cache;
        best = o.genome;
      }
      evolution.tell(results);
    }
    // Whose keys and values the attention reads.
    std::set<int> caches;
    int own = 0;
    for (const Segment& s : best.segments) {
      if (config.pool.find(s.liv)->op.entries() != Entries::softmax) continue;
      caches.insert(s.feature_strategy == 2 ? s.liv * 10 + s.feature_group : --own);
    }
    sharing += !caches.empty() && *caches.rbegin() > 0;
    single += caches.size() == 1 && own == 0;
  }
  CHECK(sharing >= kSearches - 2);
  CHECK(single >= kSearches / 2);
}

}  // namespace star::synthesis
