#include "star/evolution.h"

#include <algorithm>

#include "core/error.h"

namespace star::synthesis {
namespace {

// A child that was bred before is bred again this often, then replaced by a random genome.
constexpr int kBreedAttempts = 50;
constexpr int kAttempts = 200;

Offspring cross(Rng& rng, const Evolution& e) {
  const int a = e.tournament(rng, 2), b = e.tournament(rng, 2);
  const EvolutionConfig& c = e.config();
  Genome child = crossover(rng, e.genome(a), e.genome(b), c.pool, c.variation);
  return {mutate(rng, child, c.pool, c.variation), {a, b}, "crossover"};
}

Offspring mutant(Rng& rng, const Evolution& e) {
  const EvolutionConfig& c = e.config();
  // Real et al. sample 25 of 100.
  const int parent = e.tournament(rng, std::max(2, c.population / 4));
  return {mutate(rng, e.genome(parent), c.pool, c.variation), {parent}, "mutation"};
}

Offspring drawn(Rng& rng, const Evolution& e) { return {e.random(rng), {}, "random"}; }

}  // namespace

const std::vector<AlgorithmRow>& AlgorithmRow::rows() {
  static const std::vector<AlgorithmRow> kRows = {
      // Binary tournament on rank and crowding, crossover, mutation, elitist (μ+λ) survival.
      {"nsga2", cross, false, false, kByGenerations},
      {"genetic", cross, false, true, kByGenerations},
      // The best of a sample mutates, single deaths: to be told steadily (Real et al., "Regularized
      // evolution for image classifier architecture search", 2019).
      {"regularized", mutant, true, false, kSteadyLag},
      {"random", drawn, true, false, kByGenerations},
  };
  return kRows;
}

void AlgorithmRow::refuse(std::string_view name) {
  fail("search: the algorithm {} is not one of {}", name, fmt::join(SearchAlgorithm::names(), " "));
}

Evolution::Evolution(const SearchAlgorithm& algorithm, EvolutionConfig config)
    : algorithm_(algorithm), config_(std::move(config)) {
  const VariationConfig& v = config_.variation;
  require(config_.population >= 2, "search: population {}, must be at least 2", config_.population);
  require(!config_.pool.classes.empty(), "search: the pool has no classes");
  require(v.min_depth >= 1 && v.min_depth <= v.max_depth, "search: depth {} to {} is no range",
          v.min_depth, v.max_depth);
  require(v.cuts >= 1, "search: {} cuts in a crossover, must be at least 1", v.cuts);
  require(v.rate >= 0 && v.rate <= 1, "search: mutation rate {}, must be in [0, 1]", v.rate);
  require(v.backbone || v.operators || v.featurizers, "search: no level of the genome evolves");
  require(config_.seeds.size() <= size_t(config_.population), "search: {} seeds, population {}",
          config_.seeds.size(), config_.population);
  for (Genome& seed : config_.seeds) {
    const int depth = int(seed.segments.size());
    require(depth >= v.min_depth && depth <= v.max_depth,
            "search: the seed {} has {} LIVs, must have {} to {}", to_text(seed), depth,
            v.min_depth, v.max_depth);
    seed = canonical(parse(to_text(seed), config_.pool), config_.pool);
  }
}

Genome Evolution::random(Rng& rng) const {
  const VariationConfig& v = config_.variation;
  if (v.backbone || config_.seeds.empty()) return random_genome(rng, config_.pool, v);
  const Genome& seed = config_.seeds[rng.below(uint32_t(config_.seeds.size()))];
  return mutate(rng, seed, config_.pool, v);
}

Offspring Evolution::make(Rng& rng, int attempt) const {
  const bool initial = requests_ < uint64_t(config_.population);
  if (initial && attempt == 0 && requests_ < config_.seeds.size()) {
    return {config_.seeds[requests_], {}, "seed"};
  }
  if (initial || population_.empty() || attempt >= kBreedAttempts) {
    return {random(rng), {}, initial ? "initial" : "random"};
  }
  return algorithm_->breed(rng, *this);
}

std::vector<Offspring> Evolution::ask(int count, const std::function<bool()>& interrupted) {
  std::vector<Offspring> asked;
  latest_ = genomes_.size();
  for (int i = 0; i < count; ++i, ++requests_) {
    const bool initial = requests_ < uint64_t(config_.population);
    Rng rng(config_.seed, initial ? "evolution.initial" : "evolution.breed", requests_);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (interrupted && interrupted()) return asked;
      Offspring child = make(rng, attempt);
      if (!seen_.insert(to_text(child.genome)).second) continue;
      genomes_.push_back(child.genome);
      asked.push_back(std::move(child));
      break;
    }
  }
  return asked;
}

void Evolution::keep(std::span<const size_t> places) {
  std::vector<Genome> proposed(genomes_.begin() + long(latest_), genomes_.end());
  genomes_.resize(latest_);
  for (const Genome& genome : proposed) seen_.erase(to_text(genome));
  for (size_t place : places) {
    require(place < proposed.size(), "search: place {} kept of {} proposals", place,
            proposed.size());
    seen_.insert(to_text(proposed[place]));
    genomes_.push_back(std::move(proposed[place]));
  }
}

void Evolution::tell(std::span<const Fitness> results) {
  require(fitness_.size() + results.size() <= genomes_.size(),
          "search: {} results told, {} individuals asked for", fitness_.size() + results.size(),
          genomes_.size());
  std::vector<Result> numbered;
  for (const Fitness& f : results) numbered.push_back({int(fitness_.size() + numbered.size()), f});
  tell(numbered);
}

void Evolution::tell(std::span<const Result> results) {
  for (const Result& r : results) {
    require(r.individual >= 0 && r.individual < int(genomes_.size()),
            "search: individual {} told, {} asked for", r.individual, genomes_.size());
    fitness_.resize(std::max(fitness_.size(), size_t(r.individual) + 1));
    std::optional<Fitness>& known = fitness_[size_t(r.individual)];
    if (!known) population_.push_back(r.individual);
    known = judged(r.fitness);
  }
  std::sort(population_.begin(), population_.end());
  survive();
  standings_ = standings_of(population_);
}

// What selection looks at.
Fitness Evolution::judged(const Fitness& fitness) const {
  if (!algorithm_->by_first_objective) return fitness;
  Fitness first = fitness;
  first.objectives.resize(std::min<size_t>(fitness.objectives.size(), 1));
  first.failed = has_failed(fitness);
  return first;
}

// Reduces the population, to which newcomers were added, to its size.
void Evolution::survive() {
  const size_t size = size_t(config_.population);
  if (population_.size() <= size) return;
  if (algorithm_->by_age) {
    population_.erase(population_.begin(), population_.end() - long(size));
    return;
  }
  std::vector<size_t> order = best_first(standings_of(population_));
  order.resize(size);
  std::sort(order.begin(), order.end());
  std::vector<int> survivors;
  for (size_t i : order) survivors.push_back(population_[i]);
  population_ = std::move(survivors);
}

std::vector<Standing> Evolution::standings_of(const std::vector<int>& individuals) const {
  std::vector<Fitness> fitness;
  for (int i : individuals) fitness.push_back(*fitness_[size_t(i)]);
  return standings(fitness);
}

int Evolution::tournament(Rng& rng, int rounds) const {
  const auto draw = [&] { return rng.below(uint32_t(population_.size())); };
  size_t best = draw();
  for (int i = 1; i < rounds; ++i) {
    const size_t rival = draw();
    if (better(standings_[rival], standings_[best])) best = rival;
  }
  return population_[best];
}

}  // namespace star::synthesis
