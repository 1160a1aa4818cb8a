#include "star/after/baseline.h"

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

InstantRun searched() {
  InstantRun run;
  run.found("11111-91111", 3, 10);
  run.found("21111-91111", 1, 500);
  run.close({"11111-91111", "21111-91111"}, {});
  run.result = [](const Trial& t) {
    return trained(t.training.learning_rate == 0.01 ? 2 : 1.5, 1);  // 1000 parameters
  };
  return run;
}

}  // namespace

TEST_CASE("baseline: beside the front as the search has it, with what dominates it") {
  InstantRun run = searched();
  const auto rows = compare_baselines(run.study(), {"@mamba", "@conv"}, {});
  REQUIRE(rows.size() == 4);
  CHECK((rows[0].baseline && rows[1].baseline && !rows[2].baseline && !rows[3].baseline));
  CHECK(rows[0].evaluation().recipe == "baseline");
  CHECK(rows[2].evaluation().recipe == "search");
  CHECK(rows[2].evaluation().genome == "21111-91111");
  REQUIRE(rows[0].dominated_by.size() == 1);
  CHECK(rows[0].dominated_by[0].genome == "21111-91111");
  CHECK(rows[0].dominated_by[0].share.at("quality") == doctest::Approx(0.5));
  CHECK(rows[0].dominated_by[0].share.at("params") == doctest::Approx(0.5));
  CHECK(rows[0].dominated_by[0].share.at("cache") == 0);
  // A baseline that dominates another is none of the front.
  run.result = [](const Trial& t) { return trained(t.genome[0] == '5' ? 9 : 8, 1); };
  for (auto& row : compare_baselines(run.study(), {"@mamba", "@conv"}, {}))
    for (auto& gain : row.dominated_by) CHECK(gain.genome != "71111-91111");
  // Another seed is for the baselines: the front stays what it is.
  Study other = run.study();
  other.seed = 9;
  const auto again = compare_baselines(other, {"@mamba"}, {});
  CHECK(again[0].evaluation().recipe.text().ends_with("seed=9"));
  CHECK(again[1].evaluation().recipe == "search");
}

TEST_CASE("baseline: who was trained from several seeds is the mean") {
  InstantRun run = searched();
  run.settings.reseed = 1;
  run.contents.evaluations.push_back(
      evaluation("21111-91111", {{"quality", 4}, {"params", 500}, {"cache", 64}}, "search:seed=1"));
  const auto rows = compare_baselines(run.study(), {"@mamba"}, {});
  CHECK(rows[1].evaluation().genome == "21111-91111");
  CHECK(rows[1].evaluation().metrics.at("quality") == 2.5);
  CHECK(rows[0].dominated_by.empty());  // of quality 2, where the lucky first seed had 1
}

TEST_CASE("baseline: at several rates all of both are trained, the front too") {
  InstantRun run = searched();
  const auto rows = compare_baselines(run.study(), {"@mamba"}, {0.01, 0.003});
  REQUIRE(rows.size() == 3);
  CHECK(run.asked.size() == 6);
  CHECK(rows[0].tuned.rates[0].by_seed[0].recipe == "baseline");
  CHECK(rows[1].tuned.rates[0].by_seed[0].recipe == "search");
  CHECK(rows[1].evaluation().metrics.at("quality") == 1);  // the search's rate is its best
  CHECK(rows[2].tuned.chosen().rate == 0.003);
  CHECK(rows[2].evaluation().metrics.at("quality") == 1.5);
}

TEST_CASE("baseline: what the search measures, all are measured in, once") {
  InstantRun run = searched();
  run.settings.objectives = {"quality", "latency"};
  for (auto& e : run.contents.evaluations) e.metrics["latency"] = 7;
  std::vector<std::string> measured;
  Study study = run.study();
  study.measure = [&](auto& subjects, auto& objectives, int64_t context) {
    CHECK(objectives == std::vector<Objective>{"latency"});
    CHECK(context == run.settings.cache_context);
    std::vector<Evaluation> all;
    for (auto& s : subjects) {
      measured.push_back(s.genome);
      all.push_back(evaluation(s.genome, {{"latency", 3}}));
    }
    return all;
  };
  const auto rows = compare_baselines(study, {"@mamba"}, {0.003});
  CHECK(measured == std::vector<std::string>{"51111-91111"});
  CHECK(rows[0].measured);
  CHECK(rows[0].evaluation().metrics.at("latency") == 3);
  CHECK_FALSE(rows[1].measured);
  CHECK(rows[1].evaluation().metrics.at("latency") == 7);
  CHECK(rows[1].evaluation().metrics.at("quality") == 1.5);  // and not what the search had
}

}  // namespace star::synthesis
