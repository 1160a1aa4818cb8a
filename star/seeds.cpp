#include "star/seeds.h"

#include <algorithm>

#include "star/statistics.h"
#include "star/trial.h"

namespace star::synthesis {

int seeds_wanted(const SearchSettings& settings, int generation) {
  if (settings.reseed == 0) return 1;
  return 1 + settings.reseed + (generation + 1 >= settings.generations ? 2 : 0);
}

// Beyond the 1002 that --reseed may ask for at most.
uint64_t judging_seed(const SearchSettings& settings) { return settings.seed + 10000; }

SeedMean over_seeds(const std::vector<const Evaluation*>& trainings) {
  SeedMean judged{*trainings.at(0), int(trainings.size()), {}};
  std::map<std::string, std::vector<double>> values;
  for (auto* e : trainings) {
    if (judged.mean.ok() && !e->ok())
      judged.mean.failure = fmt::format("by {}: {}", e->recipe, e->failure);
    for (auto& [name, value] : e->metrics) values[name].push_back(value);
  }
  for (auto& [name, all] : values) {
    if (all.size() < 2) continue;
    const Spread spread = spread_of(all);
    judged.mean.metrics[name] = spread.mean;
    judged.deviation[name] = spread.deviation;
  }
  return judged;
}

std::map<std::string, SeedMean> results_over_seeds(const SearchSettings& settings,
                                                   const std::vector<Evaluation>& evaluations,
                                                   int generations) {
  std::map<std::string, std::map<Recipe, const Evaluation*>> by_recipe;
  for (auto& e : evaluations)
    if (e.recipe.is_whole() || e.recipe.is_of_another_seed()) by_recipe[e.genome][e.recipe] = &e;
  std::map<std::string, SeedMean> results;
  const int most = seeds_wanted(settings, std::max(0, generations - 1));
  for (auto& [genome, known] : by_recipe) {
    std::vector<const Evaluation*> trainings;
    for (int seed = 0; seed < most; ++seed) {
      const auto training = known.find(Recipe::of_seed(seed));
      if (training == known.end()) break;
      trainings.push_back(training->second);
    }
    if (!trainings.empty()) results[genome] = over_seeds(trainings);
  }
  return results;
}

}  // namespace star::synthesis
