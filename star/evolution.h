// Evolution as a dialogue: `ask` for genomes, evaluate them, `tell` their fitness.
//
// Individuals are numbered from 0 in the order in which they are asked for, and told by these
// numbers; not all need be. A whole population in every turn breeds by generations; one individual
// in every turn breeds steadily, and asking ahead of what was told gives the lag between the two.
// Every random choice is keyed by (seed, purpose, number of the request): the same turns with the
// same fitnesses give the same genomes, so that a run is resumed by replaying what was stored.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "star/named.h"
#include "star/pareto.h"
#include "star/variation.h"

namespace star::synthesis {

inline constexpr int kByGenerations = -1;
inline constexpr int kSteadyLag = 8;  // of what breeds steadily, unless it is said

struct EvolutionConfig {
  uint64_t seed = 0;
  int population = 16;  // survivors of a turn, and the individuals of the initial population
  Pool pool;
  VariationConfig variation;
  std::vector<Genome> seeds;  // come first in the initial population; valid, of legal depth
};

struct Offspring {
  Genome genome;             // valid, canonical, never asked for before
  std::vector<int> parents;  // numbers of individuals
  std::string origin;        // "seed", "initial", "random", "mutation", "crossover"
};

struct Result {
  int individual;
  Fitness fitness;
};

class Evolution;

// What a search breeds by, a row of the table in evolution.cpp.
struct AlgorithmRow {
  const char* name;
  // One child of the population, which is not empty.
  Offspring (*breed)(Rng& rng, const Evolution& evolution);
  bool by_age;              // the oldest die, rather than the least fit
  bool by_first_objective;  // alone: what selection, and whoever stops a training early, looks at
  int usual_lag;            // unless it is said (SearchSettings)

  static const std::vector<AlgorithmRow>& rows();
  [[noreturn]] static void refuse(std::string_view name);
};

using SearchAlgorithm = Named<AlgorithmRow>;

class Evolution {
 public:
  // Throws Error for a configuration out of range or a seed that the search could not breed.
  Evolution(const SearchAlgorithm& algorithm, EvolutionConfig config);

  // The next individuals: the initial population first, the same for every algorithm, then bred
  // from what was told. Duplicates are drawn again a bounded number of times: fewer than `count`,
  // or none, are returned when the genomes of the pool and depth are used up. To breed many deep
  // genomes takes long: once `interrupted`, asked for each, says so, what there is is returned, and
  // nothing more may be asked for.
  std::vector<Offspring> ask(int count, const std::function<bool()>& interrupted = {});

  // Of what the latest `ask` returned, only those at these places, ascending, are to be
  // individuals; their numbers follow each other. The others were never asked for, and may be bred
  // again. To be called before anything else is asked or told.
  void keep(std::span<const size_t> places);

  // The fitness of individuals, each of which was asked for: else an Error. One that was told
  // before, and is told again, has another fitness from now on.
  void tell(std::span<const Result> results);
  // The same of all that come after the last one told. Throws Error if there are not so many.
  void tell(std::span<const Fitness> results);

  // The numbers of the individuals that may become parents, ascending.
  const std::vector<int>& population() const { return population_; }

  // What the rows breed from.
  const EvolutionConfig& config() const { return config_; }
  const Genome& genome(int individual) const { return genomes_[size_t(individual)]; }
  // The number of the best of `rounds` individuals drawn from the population.
  int tournament(Rng& rng, int rounds) const;
  // A random genome. Where the backbone does not evolve and seeds are given, theirs are all there
  // are, with operators and featurizers mutated.
  Genome random(Rng& rng) const;

 private:
  Offspring make(Rng& rng, int attempt) const;
  Fitness judged(const Fitness& fitness) const;
  std::vector<Standing> standings_of(const std::vector<int>& individuals) const;
  void survive();

  SearchAlgorithm algorithm_;
  EvolutionConfig config_;
  uint64_t requests_ = 0;
  std::vector<Genome> genomes_;                  // of all individuals
  std::vector<std::optional<Fitness>> fitness_;  // of those up to the last one told, where told
  size_t latest_ = 0;                            // individuals before the latest `ask`
  std::unordered_set<std::string> seen_;
  std::vector<int> population_;
  std::vector<Standing> standings_;  // of the population
};

}  // namespace star::synthesis
