#include "star/evolution.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/error.h"
#include "star/repair.h"

namespace star::synthesis {
namespace {

EvolutionConfig small_config(uint64_t seed) {
  EvolutionConfig config;
  config.seed = seed;
  config.population = 12;
  config.pool = paper_pool();
  config.variation.min_depth = config.variation.max_depth = 6;
  return config;
}

// Two objectives at odds: few attention layers, few recurrences; a constraint on GMemless;
// failures.
Fitness assess(const Genome& genome) {
  Fitness f{{0, 0}};
  for (const Segment& s : genome.segments) {
    f.objectives[0] += std::string("1234abcd").find(s.liv) == std::string::npos;
    f.objectives[1] += std::string("56ef").find(s.liv) == std::string::npos;
    f.violation += s.liv == '9' ? 0.5 : 0;
    f.failed |= s.liv == 'h';
  }
  f.violation = std::max(0.0, f.violation - 1.5);
  return f;
}

std::vector<Fitness> assess(const std::vector<Offspring>& asked) {
  std::vector<Fitness> results;
  for (const Offspring& o : asked) results.push_back(assess(o.genome));
  return results;
}

// All that a run of `turns` turns of `step` individuals asks for.
std::vector<Offspring> run(const SearchAlgorithm& algorithm, const EvolutionConfig& config,
                           int turns, int step) {
  Evolution evolution(algorithm, config);
  std::vector<Offspring> all;
  for (int turn = 0; turn < turns; ++turn) {
    std::vector<Offspring> asked = evolution.ask(step);
    evolution.tell(assess(asked));
    all.insert(all.end(), asked.begin(), asked.end());
  }
  return all;
}

std::vector<std::string> texts(const std::vector<Offspring>& all) {
  std::vector<std::string> result;
  for (const Offspring& o : all) result.push_back(to_text(o.genome));
  return result;
}

double first_objective(const std::vector<Offspring>& all, size_t from) {
  double sum = 0;
  for (size_t i = from; i < all.size(); ++i) sum += assess(all[i].genome).objectives[0];
  return sum / double(all.size() - from);
}

}  // namespace

TEST_CASE("evolution: genomes are valid, canonical and never asked for twice") {
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    for (int step : {12, 1, 5}) {
      const EvolutionConfig config = small_config(20);
      const std::vector<Offspring> all = run(algorithm, config, 120 / step, step);
      std::set<std::string> seen;
      CHECK(all.size() == size_t(120 / step * step));
      for (size_t i = 0; i < all.size(); ++i) {
        const std::string text = to_text(all[i].genome);
        CHECK(seen.insert(text).second);
        CHECK(check(text, config.pool).valid());
        CHECK(canonical(all[i].genome, config.pool) == all[i].genome);
        CHECK(all[i].genome.segments.size() == 6);
        for (int parent : all[i].parents) CHECK((parent >= 0 && parent < int(i)));
        CHECK((all[i].origin == "initial") == (i < 12));
      }
    }
  }
}

TEST_CASE("evolution: the same seed gives the same run, and every algorithm the same beginning") {
  std::vector<std::string> first;
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    const auto one = texts(run(algorithm, small_config(21), 6, 12));
    CHECK(one == texts(run(algorithm, small_config(21), 6, 12)));
    CHECK(one != texts(run(algorithm, small_config(22), 6, 12)));
    const std::vector<std::string> begin(one.begin(), one.begin() + 12);
    if (first.empty()) first = begin;
    CHECK(begin == first);
    // Asked for one at a time without being told, the initial population is the same.
    Evolution evolution(algorithm, small_config(21));
    std::vector<Offspring> steady;
    for (int i = 0; i < 12; ++i) steady.push_back(evolution.ask(1).at(0));
    CHECK(texts(steady) == first);
  }
}

TEST_CASE("evolution: a lag only delays what breeding knows") {
  // Offspring i depends on the results 0 … i − 1 − lag: with other results after these, it is the
  // same.
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    const int lag = 3;
    Evolution one(algorithm, small_config(23)), two(algorithm, small_config(23));
    std::vector<Fitness> results;
    for (int i = 0; i < 40; ++i) {
      if (i > lag) {
        one.tell({&results[size_t(i - 1 - lag)], 1});
        two.tell({&results[size_t(i - 1 - lag)], 1});
      }
      const auto a = one.ask(1), b = two.ask(1);
      REQUIRE(a.size() == 1);
      CHECK(texts(a) == texts(b));
      CHECK(a[0].parents == b[0].parents);
      for (int parent : a[0].parents) CHECK(parent <= i - 1 - lag);
      results.push_back(assess(a[0].genome));
    }
  }
}

TEST_CASE("evolution: who is not told is no parent, and who is told again is another") {
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    Evolution evolution(algorithm, small_config(36));
    const auto asked = evolution.ask(20);
    std::vector<Result> results;
    for (int i = 19; i >= 0; i -= 2) results.push_back({i, {{double(i), 1}}});
    evolution.tell(results);
    CHECK(evolution.population() == std::vector<int>{1, 3, 5, 7, 9, 11, 13, 15, 17, 19});
    for (const Offspring& o : evolution.ask(30))
      for (int parent : o.parents) CHECK(parent % 2 == 1);
    // More than survive, so that the fitness counts where selection looks at it.
    results.clear();
    for (int i = 0; i < 8; i += 2) results.push_back({i, {{100.0 + i, 1}}});
    results.push_back({1, {{1000, 1000}}});
    results.push_back({7, {{6.5, 1}}});
    evolution.tell(results);
    const bool selects = !algorithm->by_age;
    const auto& kept = evolution.population();
    CHECK(kept.size() == 12);
    CHECK(std::count(kept.begin(), kept.end(), 1) == 0);
    CHECK(std::count(kept.begin(), kept.end(), 7) == 1);
    CHECK(std::count(kept.begin(), kept.end(), 6) == !selects);
    CHECK_THROWS_WITH_AS(evolution.tell(std::vector<Result>{{50, {}}}),
                         doctest::Contains("individual 50 told, 50 asked for"), Error);
  }
}

TEST_CASE("evolution: what is not kept of the proposals has no number, and may come again") {
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    Evolution evolution(algorithm, small_config(37));
    evolution.tell(assess(evolution.ask(12)));
    const auto proposed = evolution.ask(9);
    const std::vector<size_t> kept = {1, 4, 8};
    evolution.keep(kept);
    CHECK_THROWS_AS(evolution.tell(std::vector<Result>{{15, {}}}), Error);
    evolution.tell(std::vector<Result>{{14, {{-5, -5}}}});  // the best of all
    for (const Offspring& o : evolution.ask(60)) {
      for (int parent : o.parents) CHECK(parent <= 14);
      for (size_t i : kept) CHECK(o.genome != proposed[i].genome);
    }
    const auto& population = evolution.population();
    CHECK(std::count(population.begin(), population.end(), 14) == 1);
  }
  // Where there are few genomes, all come in the end, whatever was not kept before.
  EvolutionConfig config = small_config(38);
  config.variation.min_depth = config.variation.max_depth = 1;
  Evolution evolution("random", config);
  std::set<std::string> asked;
  for (int turn = 0; turn < 200; ++turn) {
    const auto proposed = evolution.ask(3);
    if (proposed.empty()) break;
    const std::vector<size_t> last = {proposed.size() - 1};
    evolution.keep(last);
    CHECK(asked.insert(to_text(proposed.back().genome)).second);
  }
  CHECK(asked.size() == config.pool.classes.size());
  CHECK_THROWS_WITH_AS(evolution.keep(std::vector<size_t>{3}), doctest::Contains("place 3"), Error);
}

TEST_CASE("evolution: seeds come first") {
  EvolutionConfig config = small_config(24);
  config.seeds = {named_genome("@transformer:6"),
                  parse("79911-91111-91111-91111-91111-79911", config.pool)};
  const auto asked = Evolution("nsga2", config).ask(12);
  CHECK(asked[0].genome == config.seeds[0]);
  CHECK(asked[0].origin == "seed");
  CHECK(to_text(asked[1].genome) == "71911-91111-91111-91111-91111-71911");
  CHECK(asked[2].origin == "initial");
  config.seeds = {named_genome("@linear:6")};
  CHECK_THROWS_WITH_AS(Evolution("nsga2", config), doctest::Contains("class i is not in the pool"),
                       Error);
  config.seeds = {named_genome("@transformer:7")};
  CHECK_THROWS_WITH_AS(Evolution("nsga2", config),
                       doctest::Contains("has 7 LIVs, must have 6 to 6"), Error);
  // A seed given twice counts once, and the place is filled.
  config.seeds = {named_genome("@conv:6"), named_genome("@conv:6")};
  const auto twice = Evolution("random", config).ask(2);
  CHECK(twice.size() == 2);
  CHECK(twice[1].origin == "initial");
}

TEST_CASE(
    "evolution: nsga2 keeps the best, and what it keeps is never dominated by what it drops") {
  Evolution evolution("nsga2", small_config(25));
  std::vector<Fitness> all;
  std::vector<int> before;
  for (int turn = 0; turn < 10; ++turn) {
    const auto results = assess(evolution.ask(12));
    evolution.tell(results);
    for (size_t i = 0; i < results.size(); ++i) before.push_back(int(all.size() + i));
    all.insert(all.end(), results.begin(), results.end());
    const std::vector<int>& kept = evolution.population();
    CHECK(kept.size() == 12);
    CHECK(std::is_sorted(kept.begin(), kept.end()));
    CHECK(std::includes(before.begin(), before.end(), kept.begin(), kept.end()));
    for (int dropped : before) {
      if (std::binary_search(kept.begin(), kept.end(), dropped)) continue;
      for (int k : kept) CHECK_FALSE(dominates(all[size_t(dropped)], all[size_t(k)]));
    }
    before = kept;
  }
  for (int i : evolution.population()) CHECK_FALSE(has_failed(all[size_t(i)]));
}

TEST_CASE("evolution: the regularized and the random population are the youngest") {
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    if (!algorithm->by_age) continue;
    Evolution evolution(algorithm, small_config(26));
    for (int turn = 1; turn <= 40; ++turn) {
      evolution.tell(assess(evolution.ask(1)));
      const std::vector<int>& kept = evolution.population();
      CHECK(int(kept.size()) == std::min(turn, 12));
      CHECK(kept.back() == turn - 1);
      CHECK(kept.front() == std::max(0, turn - 12));
    }
  }
}

TEST_CASE("evolution: genetic looks at the first objective alone, and finds what random does not") {
  EvolutionConfig config = small_config(27);
  const auto genetic = run("genetic", config, 20, 12), random = run("random", config, 20, 12);
  const auto nsga2 = run("nsga2", config, 20, 12), regularized = run("regularized", config, 20, 12);
  CHECK(first_objective(genetic, 200) < first_objective(nsga2, 200));
  CHECK(first_objective(genetic, 200) < first_objective(random, 200) - 2);
  CHECK(first_objective(regularized, 200) < first_objective(random, 200));

  Evolution evolution("genetic", config);
  std::vector<Fitness> all;
  for (int turn = 0; turn < 3; ++turn) {
    const auto results = assess(evolution.ask(12));
    evolution.tell(results);
    all.insert(all.end(), results.begin(), results.end());
  }
  std::vector<double> feasible, kept;
  for (const Fitness& f : all) {
    if (!f.failed && f.violation == 0) feasible.push_back(f.objectives[0]);
  }
  for (int i : evolution.population()) kept.push_back(all[size_t(i)].objectives[0]);
  std::sort(feasible.begin(), feasible.end());
  std::sort(kept.begin(), kept.end());
  feasible.resize(12);
  CHECK(kept == feasible);
}

TEST_CASE("evolution: parents win tournaments of two, or of a quarter of the population") {
  // With the i-th individual the i-th best of n, the best of r drawn with replacement is on average
  // the Σ_{j=1}^{n−1} (j/n)^r-th; its deviation is below n / 4.
  const int n = 12, children = 400;
  for (auto [name, rounds] : {std::pair{"nsga2", 2}, {"genetic", 2}, {"regularized", 3}}) {
    Evolution evolution(name, small_config(33));
    evolution.ask(n);
    std::vector<Fitness> results;
    for (int i = 0; i < n; ++i) results.push_back({{double(i), double(i)}});
    evolution.tell(results);
    double expected = 0, mean = 0, parents = 0;
    for (int j = 1; j < n; ++j) expected += std::pow(double(j) / n, rounds);
    for (const Offspring& o : evolution.ask(children))
      for (int parent : o.parents) mean += parent, ++parents;
    INFO(std::string(name));
    CHECK(parents >= children);
    CHECK(std::abs(mean / parents - expected) < 4 * n / 4.0 / std::sqrt(parents));
  }
}

TEST_CASE("evolution: a child that was there before is bred again rather than drawn") {
  // Seventeen genomes, of which five are left: most are found by breeding.
  int bred = 0, drawn = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EvolutionConfig config = small_config(seed);
    config.variation.min_depth = config.variation.max_depth = 1;
    Evolution evolution("nsga2", config);
    evolution.tell(assess(evolution.ask(12)));
    for (const Offspring& o : evolution.ask(5)) ++(o.origin == "crossover" ? bred : drawn);
  }
  CHECK(bred > drawn);
}

TEST_CASE("evolution: what failed in any objective is not kept, looked at or not") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    if (algorithm->by_age) continue;
    Evolution evolution(algorithm, small_config(34));
    evolution.ask(24);
    std::vector<Fitness> results;
    for (int i = 0; i < 24; ++i) results.push_back({{double(i), i < 12 ? nan : 1.0}});
    evolution.tell(results);
    std::vector<int> sound(12);
    std::iota(sound.begin(), sound.end(), 12);
    CHECK(evolution.population() == sound);
  }
}

TEST_CASE("evolution: failures and missing numbers do not stop it") {
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    Evolution evolution(algorithm, small_config(28));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (int turn = 0; turn < 4; ++turn) {
      const size_t asked = evolution.ask(12).size();
      evolution.tell(
          std::vector<Fitness>(asked, turn % 2 ? Fitness{{}, 0, true} : Fitness{{nan, 1}}));
      CHECK(evolution.population().size() == 12);
    }
  }
}

TEST_CASE("evolution: breeding stops when it is told to") {
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    Evolution evolution(algorithm, small_config(33));
    evolution.tell(assess(evolution.ask(12)));
    int questions = 0;
    CHECK(evolution.ask(500, [&] { return ++questions > 10; }).size() <= 10);
    CHECK(questions == 11);
  }
  // Also where all attempts are in vain.
  EvolutionConfig config = small_config(29);
  config.variation.min_depth = config.variation.max_depth = 1;
  Evolution evolution("random", config);
  while (!evolution.ask(12).empty()) {
  }
  int questions = 0;
  CHECK(evolution.ask(1, [&] { return ++questions > 10; }).empty());
  CHECK(questions == 11);
}

TEST_CASE("evolution: a space that is used up yields fewer, then none") {
  EvolutionConfig config = small_config(29);
  config.variation.min_depth = config.variation.max_depth = 1;
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    // One LIV shares nothing: as many genomes as classes.
    CHECK(run(algorithm, config, 4, 12).size() == config.pool.classes.size());
  }
}

TEST_CASE("evolution: all levels, equal initial populations, repeatable children") {
  EvolutionConfig config = small_config(31);
  config.variation.operators = config.variation.featurizers = true;
  std::vector<std::string> initial;
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    std::vector<std::string> turns[2];
    size_t overridden = 0;
    for (auto& genomes : turns) {
      Evolution evolution(algorithm, config);
      for (int turn = 0; turn < 5; ++turn) {
        const auto asked = evolution.ask(12);
        for (const Offspring& o : asked) {
          genomes.push_back(to_text(o.genome));
          CHECK(to_text(canonical(parse(genomes.back(), config.pool), config.pool)) ==
                genomes.back());
          overridden += o.genome.has_overrides();
        }
        evolution.tell(assess(asked));
      }
    }
    CHECK(turns[0] == turns[1]);
    CHECK(turns[0].size() == 60);
    CHECK(std::set<std::string>(turns[0].begin(), turns[0].end()).size() == 60);
    CHECK(overridden > 60);
    turns[0].resize(12);
    if (initial.empty()) initial = turns[0];
    CHECK(initial == turns[0]);
  }
}

TEST_CASE("evolution: a backbone that does not evolve is that of a seed") {
  EvolutionConfig config = small_config(32);
  config.variation.backbone = false;
  CHECK_THROWS_WITH_AS(Evolution("nsga2", config),
                       doctest::Contains("no level of the genome evolves"), Error);
  config.variation.operators = config.variation.featurizers = true;
  config.seeds = {named_genome("@transformer:6"), named_genome("@mamba:6")};
  auto classes = [](const Genome& genome) {
    std::string ids;
    for (const Segment& s : genome.segments) ids += s.liv;
    return ids;
  };
  const std::set<std::string> both = {"191919", "595959"};
  for (const SearchAlgorithm& algorithm : SearchAlgorithm::all()) {
    Evolution evolution(algorithm, config);
    std::set<std::string> backbones, initial;
    for (int turn = 0; turn < 4; ++turn) {
      const auto asked = evolution.ask(12);
      CHECK(asked.size() == 12);
      for (const Offspring& o : asked) {
        backbones.insert(classes(o.genome));
        if (o.origin == "initial") initial.insert(classes(o.genome));
      }
      evolution.tell(assess(asked));
    }
    CHECK(backbones == both);
    CHECK(initial == both);
  }
}

TEST_CASE("evolution: wrong use") {
  EvolutionConfig config = small_config(30);
  CHECK_THROWS_WITH_AS(Evolution("nsga3", config), doctest::Contains("algorithm nsga3"), Error);
  Evolution evolution("nsga2", config);
  evolution.ask(2);
  CHECK_THROWS_WITH_AS(evolution.tell(std::vector<Fitness>(3, Fitness{{1, 1}})),
                       doctest::Contains("3 results told, 2 individuals"), Error);
  config.population = 1;
  CHECK_THROWS_WITH_AS(Evolution("nsga2", config),
                       doctest::Contains("population 1, must be at least 2"), Error);
  config.population = 4;
  config.variation.max_depth = 2;
  CHECK_THROWS_WITH_AS(Evolution("nsga2", config), doctest::Contains("depth 6 to 2"), Error);
}

}  // namespace star::synthesis
