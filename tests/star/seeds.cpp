#include "star/seeds.h"

#include <doctest/doctest.h>

#include <cmath>

#include "star/trial.h"

namespace star::synthesis {
namespace {

Evaluation trained(const Recipe& recipe, double quality, const std::string& failure = "") {
  Evaluation e;
  e.genome = "11111";
  e.recipe = recipe;
  e.failure = failure;
  e.metrics = {{"quality", quality}, {"params", 7}};
  return e;
}

}  // namespace

TEST_CASE("seeds: trainings of a genome are judged by their mean") {
  Evaluation first = trained(Recipe(), 2);
  first.metrics["rung:10"] = 3;
  const Evaluation second = trained(Recipe::of_seed(1), 3), third = trained(Recipe::of_seed(2), 7);
  const SeedMean one = over_seeds({&first});
  CHECK(one.seeds == 1);
  CHECK(one.mean.metrics == first.metrics);
  CHECK(one.deviation.empty());
  const SeedMean all = over_seeds({&first, &second, &third});
  CHECK(all.seeds == 3);
  CHECK(all.mean.recipe.is_whole());
  CHECK(all.mean.metrics.at("quality") == 4);
  CHECK(all.deviation.at("quality") == doctest::Approx(std::sqrt(7)));
  CHECK(all.deviation.at("params") == 0);
  CHECK(all.mean.metrics.at("rung:10") == 3);
  CHECK(all.deviation.count("rung:10") == 0);
  const Evaluation failed = trained(Recipe::of_seed(1), 0, "time limit");
  CHECK(over_seeds({&first, &failed, &third}).mean.failure == "by search:seed=1: time limit");
}

TEST_CASE("seeds: what judges a search begins after all seeds that it can have chosen by") {
  SearchSettings settings;
  settings.seed = 7;
  settings.reseed = 1000;  // the most
  settings.generations = 1;
  CHECK(judging_seed(settings) >= settings.seed + uint64_t(seeds_wanted(settings, 0)));
}

TEST_CASE("seeds: as many count as the generation asks for") {
  SearchSettings settings;
  settings.generations = 3;
  CHECK(seeds_wanted(settings, 0) == 1);
  CHECK(seeds_wanted(settings, 2) == 1);
  settings.reseed = 2;
  CHECK(seeds_wanted(settings, 1) == 3);
  CHECK(seeds_wanted(settings, 2) == 5);
  std::vector<Evaluation> all = {trained(Recipe(), 1),           trained(Recipe::of_seed(1), 2),
                                 trained(Recipe::of_seed(2), 3), trained(Recipe::of_seed(4), 100),
                                 trained("final", 1000),         trained(Recipe::at_rung(5), 1000)};
  CHECK(results_over_seeds(settings, all, 2).at("11111").seeds == 3);
  // What is behind a gap belongs to nothing that is known.
  CHECK(results_over_seeds(settings, all, 3).at("11111").seeds == 3);
  all.push_back(trained(Recipe::of_seed(3), 6));
  CHECK(results_over_seeds(settings, all, 3).at("11111").seeds == 5);
  CHECK(results_over_seeds(settings, all, 2).at("11111").mean.metrics.at("quality") == 2);
  CHECK(results_over_seeds(settings, all, 0).at("11111").seeds == 3);
  all.erase(all.begin());
  CHECK(results_over_seeds(settings, all, 3).empty());
}

}  // namespace star::synthesis
