#include "star/evolution.h"

#include <algorithm>

#include "core/error.h"

namespace star {
namespace {

// A child that was bred before is bred again this often, then replaced by a random genome.
constexpr int kBreedAttempts = 50;
constexpr int kAttempts = 200;

class Nsga2 : public Algorithm {
 public:
  using Algorithm::Algorithm;

 protected:
  Offspring breed(Rng& rng) const override {
    const int a = tournament(rng, 2), b = tournament(rng, 2);
    const Pool& pool = config().pool;
    const VariationConfig& variation = config().variation;
    Genome child = crossover(rng, genome(a), genome(b), pool, variation);
    return {mutate(rng, child, pool, variation), {a, b}, "crossover"};
  }

  void survive(std::vector<int>& population, int size) const override {
    std::vector<size_t> order = best_first(standings_of(population));
    order.resize(std::min(order.size(), size_t(size)));
    std::sort(order.begin(), order.end());
    std::vector<int> survivors;
    for (size_t i : order) survivors.push_back(population[i]);
    population = survivors;
  }
};

class Genetic : public Nsga2 {
 public:
  using Nsga2::Nsga2;

 protected:
  Fitness judged(const Fitness& f) const override {
    Fitness first = f;
    first.objectives.resize(std::min<size_t>(f.objectives.size(), 1));
    first.failed = has_failed(f);
    return first;
  }
};

void keep_youngest(std::vector<int>& population, int size) {
  if (population.size() > size_t(size))
    population.erase(population.begin(), population.end() - size);
}

class Regularized : public Algorithm {
 public:
  using Algorithm::Algorithm;

 protected:
  Offspring breed(Rng& rng) const override {
    // Real et al. sample 25 of 100.
    const int parent = tournament(rng, std::max(2, config().population / 4));
    return {mutate(rng, genome(parent), config().pool, config().variation), {parent}, "mutation"};
  }

  void survive(std::vector<int>& population, int size) const override {
    keep_youngest(population, size);
  }
};

class Random : public Algorithm {
 public:
  using Algorithm::Algorithm;

 protected:
  Offspring breed(Rng& rng) const override { return {random(rng), {}, "random"}; }

  void survive(std::vector<int>& population, int size) const override {
    keep_youngest(population, size);
  }
};

}  // namespace

Algorithm::Algorithm(EvolutionConfig config) : config_(std::move(config)) {
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

Genome Algorithm::random(Rng& rng) const {
  const VariationConfig& v = config_.variation;
  if (v.backbone || config_.seeds.empty()) return random_genome(rng, config_.pool, v);
  const Genome& seed = config_.seeds[rng.below(uint32_t(config_.seeds.size()))];
  return mutate(rng, seed, config_.pool, v);
}

Offspring Algorithm::make(Rng& rng, int attempt) const {
  const bool initial = requests_ < uint64_t(config_.population);
  if (initial && attempt == 0 && requests_ < config_.seeds.size()) {
    return {config_.seeds[requests_], {}, "seed"};
  }
  if (initial || population_.empty() || attempt >= kBreedAttempts) {
    return {random(rng), {}, initial ? "initial" : "random"};
  }
  return breed(rng);
}

std::vector<Offspring> Algorithm::ask(int count, const std::function<bool()>& interrupted) {
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

void Algorithm::keep(std::span<const size_t> places) {
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

void Algorithm::tell(std::span<const Fitness> results) {
  require(fitness_.size() + results.size() <= genomes_.size(),
          "search: {} results told, {} individuals asked for", fitness_.size() + results.size(),
          genomes_.size());
  std::vector<Result> numbered;
  for (const Fitness& f : results) numbered.push_back({int(fitness_.size() + numbered.size()), f});
  tell(numbered);
}

void Algorithm::tell(std::span<const Result> results) {
  for (const Result& r : results) {
    require(r.individual >= 0 && r.individual < int(genomes_.size()),
            "search: individual {} told, {} asked for", r.individual, genomes_.size());
    fitness_.resize(std::max(fitness_.size(), size_t(r.individual) + 1));
    std::optional<Fitness>& known = fitness_[size_t(r.individual)];
    if (!known) population_.push_back(r.individual);
    known = judged(r.fitness);
  }
  std::sort(population_.begin(), population_.end());
  survive(population_, config_.population);
  standings_ = standings_of(population_);
}

std::vector<Standing> Algorithm::standings_of(const std::vector<int>& individuals) const {
  std::vector<Fitness> fitness;
  for (int i : individuals) fitness.push_back(*fitness_[size_t(i)]);
  return standings(fitness);
}

int Algorithm::tournament(Rng& rng, int rounds) const {
  const auto draw = [&] { return rng.below(uint32_t(population_.size())); };
  size_t best = draw();
  for (int i = 1; i < rounds; ++i) {
    const size_t rival = draw();
    if (better(standings_[rival], standings_[best])) best = rival;
  }
  return population_[best];
}

std::unique_ptr<Algorithm> make_algorithm(std::string_view name, EvolutionConfig config) {
  if (name == "nsga2") return std::make_unique<Nsga2>(std::move(config));
  if (name == "genetic") return std::make_unique<Genetic>(std::move(config));
  if (name == "regularized") return std::make_unique<Regularized>(std::move(config));
  if (name == "random") return std::make_unique<Random>(std::move(config));
  fail("search: the algorithm {} is not one of {}", name, fmt::join(algorithm_names(), " "));
}

std::vector<std::string> algorithm_names() { return {"nsga2", "genetic", "regularized", "random"}; }

}  // namespace star
