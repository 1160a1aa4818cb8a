#include "star/breeding.h"

#include <algorithm>

#include "liv/pool_file.h"
#include "star/genome.h"
#include "star/repair.h"

namespace star {
namespace {

bool evolves(const SearchSettings& s, const std::string& level) {
  return std::find(s.evolve.begin(), s.evolve.end(), level) != s.evolve.end();
}

// What the initial population begins with.
std::vector<Genome> seeds_of(const SearchSettings& s, const Pool& pool) {
  std::vector<Genome> seeds;
  if (s.start.empty()) {
    for (auto& design : named_designs(pool, s.max_depth)) seeds.push_back(design.genome);
    seeds.resize(std::min(seeds.size(), size_t(s.population)));
  } else if (s.start[0] != kNoStart) {
    for (auto& text : s.start) seeds.push_back(canonical(resolve(text, pool), pool));
  }
  return seeds;
}

EvolutionConfig evolution_of(const SearchSettings& s, const Pool& pool) {
  EvolutionConfig config;
  config.seed = s.seed;
  config.population = s.population;
  config.pool = pool;
  config.variation.min_depth = s.min_depth;
  config.variation.max_depth = s.max_depth;
  config.variation.rate = s.mutation_rate;
  config.variation.cuts = s.crossover_points;
  config.variation.backbone = evolves(s, "backbone");
  config.variation.operators = evolves(s, "operator");
  config.variation.featurizers = evolves(s, "featurizer");
  config.seeds = seeds_of(s, pool);
  return config;
}

}  // namespace

std::vector<Genome> random_genomes(const SearchSettings& settings, int count) {
  EvolutionConfig config = evolution_of(settings, named_pool(settings.pool));
  config.seed ^= hash_text("random genomes");
  if (config.variation.backbone) config.seeds.clear();  // else random genomes are mutants of them
  const int seeds = int(config.seeds.size());
  std::vector<Genome> genomes;
  for (auto& drawn : Evolution("random", std::move(config)).ask(seeds + count))
    if (drawn.origin != "seed") genomes.push_back(std::move(drawn.genome));
  return genomes;
}

Breeding::Breeding(const SearchSettings& settings, const Pool& pool)
    : settings_(settings), evolution_(settings.algorithm, evolution_of(settings, pool)) {
  if (settings.screen > 0) screening_.emplace(settings);
}

std::vector<Offspring> Breeding::propose(int count, size_t before,
                                         const std::function<std::vector<Fitness>()>& known,
                                         const std::function<bool()>& interrupted) {
  if (!screening_ || !screening_->ready()) return evolution_.ask(count, interrupted);
  std::vector<Offspring> all = evolution_.ask(count * settings_.screen, interrupted), chosen;
  if (interrupted && interrupted()) return {};
  std::vector<std::string> texts;
  for (auto& o : all) texts.push_back(to_text(o.genome));
  const std::vector<size_t> places = screening_->choose(
      texts, size_t(count), known(), Rng(settings_.seed, "screening", uint64_t(before)));
  evolution_.keep(places);
  for (size_t place : places) chosen.push_back(std::move(all[place]));
  return chosen;
}

std::optional<double> Breeding::expected(const std::string& genome) {
  if (!screening_ || !screening_->ready()) return {};
  return screening_->predict(genome);
}

void Breeding::learn(const std::vector<FirstLoss>& losses) {
  if (!screening_) return;
  for (auto& [genome, loss] : losses) screening_->learn(genome, loss);
  screening_->fit();
}

}  // namespace star
