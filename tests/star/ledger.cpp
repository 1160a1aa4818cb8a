#include "star/ledger.h"

#include <doctest/doctest.h>

#include <cmath>

namespace star::synthesis {
namespace {

Evaluation trained(double quality, double params, const std::string& failure = "") {
  Evaluation e;
  e.metrics = {{"quality", quality}, {"params", params}};
  e.failure = failure;
  return e;
}

Generation summary(Ledger& ledger) {
  static const std::vector<std::string> kNames = {"a", "b", "c"};
  Generation g;
  ledger.summarise(
      g, [](int i) -> auto& { return kNames.at(size_t(i)); });
  return g;
}

}  // namespace

TEST_CASE("ledger: who was lucky leaves the front, and what it had dominated comes back") {
  SearchSettings settings;
  Ledger ledger(settings, {10, 10});
  const Evaluation lucky = trained(1, 5), second = trained(2, 5), again = trained(9, 5);
  CHECK(std::isnan(ledger.best()));
  ledger.see(lucky);
  CHECK(ledger.best() == 1);
  CHECK_FALSE(ledger.judge(0, {&lucky}));
  CHECK_FALSE(ledger.judge(1, {&second}));
  CHECK(summary(ledger).front == std::vector<std::string>{"a"});
  CHECK(summary(ledger).hypervolume == doctest::Approx(0.9 * 0.5));
  CHECK(ledger.news().size() == 2);
  CHECK(ledger.news().empty());
  CHECK_FALSE(ledger.judge(0, {&lucky, &again}));
  CHECK(summary(ledger).front == std::vector<std::string>{"b"});
  CHECK(ledger.best() == 2);
  const std::vector<Result> news = ledger.news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].individual == 0);
  CHECK(news[0].fitness.objectives == std::vector<double>{5, 5});
}

TEST_CASE("ledger: a failure from any seed is one, and breaks nothing") {
  SearchSettings settings;
  Ledger ledger(settings, {10, 10});
  const Evaluation sound = trained(1, 5), failed = trained(0, 0, "time limit");
  CHECK(ledger.judge(0, {}));
  CHECK(ledger.judge(1, {&sound, &failed}));
  const Generation g = summary(ledger);
  CHECK(g.evaluated == 2);
  CHECK(g.failed == 2);
  CHECK(g.hypervolume == 0);
  CHECK(std::isnan(g.scaled));
}

TEST_CASE("ledger: what breaks the bounds is in no volume, and not the best") {
  SearchSettings settings;
  settings.bounds = {{"params", 4}};
  Ledger ledger(settings, {10, 10});
  const Evaluation large = trained(1, 8), small = trained(3, 4);
  ledger.see(large);
  CHECK(std::isnan(ledger.best()));
  ledger.judge(0, {&large});
  CHECK(summary(ledger).hypervolume == 0);
  ledger.judge(1, {&small});
  CHECK(summary(ledger).hypervolume == doctest::Approx(0.7 * 0.6));
}

}  // namespace star::synthesis
