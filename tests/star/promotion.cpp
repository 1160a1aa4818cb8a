#include "star/promotion.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "core/rng.h"

namespace star::synthesis {
namespace {

SearchSettings with_rungs(std::vector<int64_t> rungs, double keep, int population = 4) {
  SearchSettings s;
  s.population = population;
  s.rungs = std::move(rungs);
  s.keep = keep;
  return s;
}

Fitness at(double quality, double params = 0) { return {{quality, params}}; }

std::vector<Fitness> nobody(size_t) { return {}; }

// What a search sees of individuals whose values at each rung are known beforehand (NaN: it fails
// there), when results arrive in the order of `rng`: for each how far it went, −1 for failed.
std::vector<int> fates(const SearchSettings& settings,
                       const std::vector<std::vector<double>>& values, Rng& rng) {
  Promotion promotion(settings);
  std::vector<int> running;
  auto decide = [&] {
    for (auto on = promotion.decide(nobody); !on.empty(); on = promotion.decide(nobody))
      running.insert(running.end(), on.begin(), on.end());
  };
  for (size_t i = 0; i < values.size(); ++i) {
    promotion.enter();
    running.push_back(int(i));
  }
  decide();
  while (!running.empty()) {
    const auto one = running.begin() + rng.below(uint32_t(running.size()));
    const int i = *one;
    running.erase(one);
    if (promotion.last_stage(i)) continue;
    const double value = values[size_t(i)][promotion.stage(i)];
    std::isnan(value) ? promotion.fail(i) : promotion.reach(i, at(value));
    decide();
  }
  std::vector<int> result;
  for (int i = 0; i < int(values.size()); ++i) {
    result.push_back(promotion.failed(i) ? -1 : int(promotion.stage(i)));
    CHECK((promotion.failed(i) || promotion.stopped(i) != promotion.last_stage(i)));
  }
  return result;
}

}  // namespace

TEST_CASE("promotion: a generation is bred so large that the population comes to the end") {
  using Counts = std::vector<int64_t>;
  CHECK(cohort_sizes(with_rungs({}, 1)) == Counts{4});
  CHECK(cohort_sizes(with_rungs({}, 0.1)) == Counts{4});
  CHECK(cohort_sizes(with_rungs({30}, 1, 16)) == Counts{16, 16});
  CHECK(cohort_sizes(with_rungs({30}, 0.333, 16)) == Counts{49, 16});
  CHECK(cohort_sizes(with_rungs({30}, 0.1, 3)) == Counts{30, 3});  // 3 / 0.1 is above 30
  CHECK(cohort_sizes(with_rungs({15, 30}, 0.5, 5)) == Counts{20, 10, 5});
  CHECK(cohort_sizes(with_rungs({15, 30}, 0.4, 5)) == Counts{33, 13, 5});
}

TEST_CASE("promotion: a rung judges by its loss and by what is known without training") {
  SearchSettings s = with_rungs({15, 30}, 0.5);
  s.objectives = {"params", "latency:decode", "quality", "cache"};
  s.bounds = {{"params", 100}, {"quality", 2}, {"memory", 5}};
  const Metrics metrics = {{"rung:15", 4}, {"rung:30", 3}, {"params", 150}, {"cache", 7}};
  const Fitness f = rung_fitness(s, metrics, 30);
  CHECK(f.objectives == std::vector<double>{150, 3, 7});
  CHECK(f.violation == doctest::Approx(0.5));
  s.algorithm = "genetic";
  s.objectives = {"quality", "params"};
  CHECK(rung_fitness(s, metrics, 15).objectives == std::vector<double>{4});
}

TEST_CASE("promotion: newcomers are ranked together with the population") {
  using Indices = std::vector<size_t>;
  const std::vector<Fitness> newcomers = {at(3, 3), at(1, 9), at(2, 2), at(9, 1)};
  CHECK(best_newcomers(newcomers, {}, 2) == Indices{1, 3});  // the ends of the first front
  // With those beyond them in the population, they are no ends any more; (2, 2) has more room.
  const std::vector<Fitness> population = {at(0.9, 9.1), at(9.1, 0.9), at(0.8, 20), at(20, 0.8)};
  CHECK(best_newcomers(newcomers, population, 1) == Indices{2});
  CHECK(best_newcomers(newcomers, population, 9) == Indices{0, 1, 2, 3});
  CHECK(best_newcomers({}, population, 2).empty());
  const std::vector<Fitness> equal(4, at(1, 1));  // the first and the last are its ends
  CHECK(best_newcomers(equal, {}, 3) == Indices{0, 1, 3});
}

TEST_CASE("promotion: the last one goes on if it is among the best share so far") {
  auto goes_on = [](const std::vector<double>& values, double share) {
    std::vector<Fitness> reached;
    for (double v : values) reached.push_back({{v}});
    return last_is_among_best(reached, share);
  };
  CHECK(goes_on({5}, 0.1));
  CHECK_FALSE(goes_on({4, 5}, 0.5));
  CHECK(goes_on({4, 3}, 0.5));
  CHECK(goes_on({1, 4, 3}, 0.4));        // two of three
  CHECK_FALSE(goes_on({1, 4, 3}, 0.3));  // one of three
  CHECK_FALSE(goes_on({1, 1}, 0.5));     // of equals the first
  CHECK(goes_on({1, 2, 3}, 1));
}

TEST_CASE("promotion: of a generation exactly the best go on, whatever fails") {
  const double nan = std::nan("");
  const SearchSettings s = with_rungs({1, 2}, 0.5, 2);  // 8, 4, 2
  const std::vector<std::vector<double>> values = {{1, 9},   {8, 0}, {2, 3}, {3, nan},
                                                   {nan, 0}, {7, 0}, {6, 5}, {9, 0}};
  // 0, 2, 3 and 6 pass the first rung, 3 fails on the way to the second, 2 and 6 pass it.
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed, "test.promotion");
    CHECK(fates(s, values, rng) == std::vector<int>{1, 0, 2, -1, -1, 0, 2, 0});
  }
}

TEST_CASE("promotion: steadily, the order in which results arrive changes nothing") {
  std::set<std::vector<int>> different;
  for (uint64_t game = 0; game < 5; ++game) {
    Rng draw(game, "test.promotion.values");
    std::vector<std::vector<double>> values(60, std::vector<double>(2));
    for (auto& v : values)
      for (double& x : v) x = draw.chance(0.1) ? std::nan("") : draw.uniform();
    SearchSettings s = with_rungs({1, 2}, 0.3, 10);
    s.lag = 5;
    Rng first(0, "test.promotion.order");
    const std::vector<int> expected = fates(s, values, first);
    different.insert(expected);
    for (uint64_t seed = 1; seed < 10; ++seed) {
      Rng rng(seed, "test.promotion.order");
      CHECK(fates(s, values, rng) == expected);
    }
    // By the definition, one after the other.
    std::vector<std::vector<Fitness>> reached(2);
    for (size_t i = 0; i < values.size(); ++i) {
      int fate = 0;
      while (fate >= 0 && fate < 2) {
        const double value = values[i][size_t(fate)];
        if (std::isnan(value)) {
          fate = -1;
          break;
        }
        auto& here = reached[size_t(fate)];
        here.push_back(at(value));
        size_t better = 0;
        for (auto& f : here) better += f.objectives[0] < value;
        if (double(better) >= std::ceil(0.3 * double(here.size()))) break;
        ++fate;
      }
      CHECK(expected[i] == fate);
    }
  }
  CHECK(different.size() == 5);
}

}  // namespace star::synthesis
