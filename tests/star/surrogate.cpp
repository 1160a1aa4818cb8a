#include "star/surrogate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "core/rng.h"
#include "star/compiler.h"
#include "star/screening.h"
#include "star/search.h"
#include "star/statistics.h"

namespace star::synthesis {
namespace {

using Rows = std::vector<std::vector<double>>;

// n rows of features of different scales, one of which never varies.
Rows random_rows(size_t n, uint64_t seed) {
  Rng rng(seed, "test.surrogate");
  Rows rows;
  for (size_t i = 0; i < n; ++i)
    rows.push_back(
        {rng.normal(), 1000 + 50 * rng.normal(), 3, double(rng.chance(0.5)), 1e-3 * rng.normal()});
  return rows;
}

double planted(const std::vector<double>& x) {
  return 7 - 2 * x[0] + 0.01 * x[1] + 5 * x[2] + 0.5 * x[3] + 300 * x[4];
}

Backbone model_of(const std::string& genome) {
  const Pool pool = paper_pool();
  return Backbone(nullptr, compile(parse(genome, pool), pool), {16, 2, 8, 8, 4});
}

}  // namespace

TEST_CASE("surrogate: a planted linear model is recovered, and noise is damped") {
  const Rows rows = random_rows(40, 1), others = random_rows(30, 2);
  std::vector<double> targets, truth, found;
  for (auto& row : rows) targets.push_back(planted(row));
  const Ridge ridge(rows, targets);
  for (auto& row : others) {
    CHECK(ridge.predict(row) == doctest::Approx(planted(row)).epsilon(1e-4));
    truth.push_back(planted(row));
    found.push_back(ridge.predict(row));
  }
  CHECK(kendall_tau(truth, found).tau == 1);
  CHECK(ridge.penalty() == doctest::Approx(40e-6));
  CHECK(Ridge(rows, targets).predict(others[0]) == ridge.predict(others[0]));
  // Of pure noise, the more that is believed, the worse.
  Rng rng(3, "test.noise");
  for (double& y : targets) y = rng.normal();
  CHECK(Ridge(rows, targets).penalty() > 1);
  // Rows in another order make the same model, up to rounding.
  Rows backwards(rows.rbegin(), rows.rend());
  const std::vector<double> reversed(targets.rbegin(), targets.rend());
  CHECK(Ridge(backwards, reversed).predict(others[0]) ==
        doctest::Approx(Ridge(rows, targets).predict(others[0])).epsilon(1e-9));
}

TEST_CASE("surrogate: the penalty is the best by leaving one out") {
  const Rows rows = random_rows(12, 4);
  Rng rng(5, "test.noise");
  std::vector<double> targets;
  for (auto& row : rows) targets.push_back(planted(row) + 2 * rng.normal());
  const Ridge ridge(rows, targets);
  CHECK(ridge.penalty() > 12e-6);
  CHECK(ridge.penalty() < 120);
  // Fewer rows than features, and features that say the same twice, are no trouble.
  Rows few;
  for (auto& row : random_rows(3, 6)) {
    few.push_back(row);
    few.back().insert(few.back().end(), row.begin(), row.end());
  }
  CHECK(std::isfinite(Ridge(few, {1, 2, 3}).predict(few[0])));
  CHECK(Ridge({{1, 1}, {1, 1}}, {2, 4}).predict({5, 5}) == 3);
}

TEST_CASE("surrogate: wrong use") {
  CHECK_THROWS_WITH_AS(Ridge({{1}}, {1}), doctest::Contains("1 rows"), Error);
  CHECK_THROWS_WITH_AS(Ridge({{1}, {2}}, {1}), doctest::Contains("1 targets"), Error);
  CHECK_THROWS_WITH_AS(Ridge({{1}, {2, 3}}, {1, 2}), doctest::Contains("a row of 2"), Error);
  CHECK_THROWS_WITH_AS(Ridge({{1}, {2}}, {1, std::nan("")}), doctest::Contains("no number"), Error);
  CHECK_THROWS_WITH_AS(Ridge({{1}, {2}}, {1, 2}).predict({1, 2}), doctest::Contains("not 1"),
                       Error);
}

TEST_CASE("surrogate: features are what the digits say") {
  const std::vector<std::string> names = feature_names();
  CHECK(names.size() == 24);
  const auto named = [&](const std::string& genome) {
    const std::vector<double> values = features_of(model_of(genome), 64);
    REQUIRE(values.size() == names.size());
    std::map<std::string, double> result;
    for (size_t i = 0; i < names.size(); ++i) result[names[i]] = values[i];
    return result;
  };
  auto f = named("91111-12212-91111-122122");
  CHECK(f.at("attention: share") == 0.5);
  CHECK(f.at("attention: first place") == 0.25);
  CHECK(f.at("memoryless: share") == 0.5);
  CHECK(f.at("memoryless: first place") == 0);
  CHECK(f.at("recurrence: presence") == 0);
  CHECK(f.at("recurrence: first place") == 1);
  CHECK(f.at("parallel") == 0.25);
  CHECK(f.at("neighbours alike") == 0);
  CHECK(f.at("features reused") == 0.25);
  CHECK(f.at("classes") == 2);
  CHECK(f.at("depth") == 4);
  CHECK(f.at("log cache") ==
        std::log1p(double(model_of("91111-12212-91111-122122").cache_bytes(64))));
  f = named("51111-51111");
  CHECK(f.at("recurrence: share") == 1);
  CHECK(f.at("neighbours alike") == 0.5);
  CHECK(f.at("weights shared") == 0);
  CHECK(named("52211-52211").at("weights shared") == 0.5);
  CHECK(named("a1111").at("differential") == 1);
}

TEST_CASE("screening: after enough results, places go to what the model expects, a fifth by lot") {
  SearchSettings settings;
  settings.sizes = {16, 2, 8, 8, 4};
  settings.min_depth = settings.max_depth = 4;
  settings.objectives = {"quality"};
  const std::vector<Genome> drawn = random_genomes(settings, 90);
  std::vector<std::string> genomes;
  for (auto& genome : drawn) genomes.push_back(to_text(genome));
  // What counts is the share of attention.
  const auto loss = [](const std::string& genome) { return features_of(model_of(genome), 64)[0]; };
  Screening screening(settings);
  for (size_t i = 0; i < 30; ++i) {
    CHECK(screening.ready() == (i >= feature_names().size()));
    screening.learn(genomes[i], loss(genomes[i]));
    screening.fit();
  }
  const std::vector<std::string> proposals(genomes.begin() + 30, genomes.end());
  const auto choose = [&](size_t count, uint64_t seed) {
    return screening.choose(proposals, count, {}, Rng(seed, "test.screening"));
  };
  const std::vector<size_t> chosen = choose(20, 1);
  CHECK(chosen.size() == 20);
  CHECK(std::is_sorted(chosen.begin(), chosen.end()));
  CHECK(std::adjacent_find(chosen.begin(), chosen.end()) == chosen.end());
  CHECK(choose(20, 1) == chosen);
  // Sixteen do not depend on the lot.
  std::vector<size_t> common = chosen;
  for (uint64_t seed = 2; seed < 20; ++seed) {
    std::vector<size_t> both;
    const std::vector<size_t> other = choose(20, seed);
    std::set_intersection(common.begin(), common.end(), other.begin(), other.end(),
                          std::back_inserter(both));
    common = both;
  }
  CHECK(common.size() == 16);
  std::vector<double> best;
  for (auto& genome : proposals) best.push_back(loss(genome));
  std::sort(best.begin(), best.end());
  for (size_t i : common) CHECK(loss(proposals[i]) <= best[20]);
  // One place is the lot's in a fifth of all cases.
  std::map<size_t, int> single;
  for (uint64_t seed = 0; seed < 200; ++seed) ++single[choose(1, seed).at(0)];
  int most = 0;
  for (auto& [place, count] : single) most = std::max(most, count);
  CHECK(most > 140);
  CHECK(most < 180);
  CHECK(choose(100, 1).size() == 60);
}

}  // namespace star::synthesis
