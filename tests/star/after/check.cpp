#include "star/after/check.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "tests/star/after/instant.h"

namespace star::synthesis {
namespace {

// Of the designs of two LIVs @mamba (which @hybrid is too) has more parameters, @transformer and
// @conv have fewer.
const char* kFound = "21111-91111";

InstantRun searched() {
  InstantRun run;
  run.found("71111-91111", 1, 0);  // @conv itself
  run.found(kFound, 2, 0);
  run.found("11111-71111", 3, 0);
  run.close({"71111-91111", kFound, "11111-71111"}, {});
  return run;
}

int64_t parameters(InstantRun& run, const std::string& genome) {
  return model_of(candidate_trial(run.settings, genome), nullptr).parameter_count();
}

}  // namespace

TEST_CASE("check: the best that no named design is, against the best design that is no larger") {
  InstantRun run = searched();
  // @conv has the least validation loss of those that are no larger, whatever the test part says.
  run.result = [&](const Trial& t) {
    const double noise = 0.01 * double(t.seed % 2);
    if (t.genome == kFound) return trained(1, 1 + noise);
    return t.genome == "71111-91111" ? trained(2, 2) : trained(t.genome[0] == '5' ? 1 : 3, 1);
  };
  const auto check = check_search(run.study());
  REQUIRE(check);
  CHECK(check->found.genome == kFound);
  CHECK(check->found.params == parameters(run, kFound));
  CHECK(check->designs == std::vector<std::string>{"@transformer", "@conv"});
  CHECK(parameters(run, "51111-91111") > check->found.params);
  CHECK_FALSE(check->larger);
  CHECK(check->design.name == "@conv");
  CHECK(check->design.genome == "71111-91111");
  CHECK(check->design.params == parameters(run, "71111-91111"));
  CHECK(check->difference.n == 3);
  CHECK(check->difference.mean == doctest::Approx(-1 + 0.01 * 2 / 3));
  CHECK(check->better());
  CHECK_FALSE(check->worse());
  CHECK(check->finalists == std::vector<std::string>{kFound, "11111-71111"});
  // All with four times the steps and on the test part; others than the two best from one seed.
  CHECK(run.asked.size() == 2 + (2 + 2) + 2);
  for (auto& trial : run.asked) {
    CHECK(trial.training.steps == 40);
    CHECK(trial.test);
    CHECK(trial.recipe == recipe_of(trial));
  }
  CHECK(check->steps == 40);
}

TEST_CASE("check: of six finalists that which longer training prefers, by its validation part") {
  InstantRun run;
  const std::vector<std::string> found = {"21111-91111", "11111-71111", "71111-71111",
                                          "31111-91111", "21111-71111", "31111-71111",
                                          "41111-71111"};
  for (size_t i = 0; i < found.size(); ++i) run.found(found[i], double(i), 0);
  run.close(found, {});
  // The seventh would be the best; the test part prefers the second.
  run.result = [&](const Trial& t) {
    const auto at = size_t(std::find(found.begin(), found.end(), t.genome) - found.begin());
    return trained(std::vector<double>{5, 3, 2, 6, 4, 7, 1, 8}[at], at == 1 ? 0.5 : 1);
  };
  auto check = check_search(run.study());
  CHECK(check->finalists == std::vector<std::string>(found.begin(), found.begin() + 6));
  CHECK(check->found.genome == "71111-71111");
  CHECK(check->found.params == parameters(run, "71111-71111"));
  CHECK(check->found.trained.by_seed.size() == 3);
  CHECK(run.asked.size() == 6 + (check->designs.size() + 2) + 2);
  // Found again where the run holds these trainings, all of them.
  CHECK(best_of_check(run.study()) == "");
  for (int i = 0; i < 6; ++i) {
    CHECK(best_of_check(run.study()) == "");
    const Trial& trial = run.asked[size_t(i)];
    run.contents.evaluations.push_back(evaluation(trial.genome, run.result(trial), trial.recipe));
  }
  CHECK(best_of_check(run.study()) == "71111-71111");
  // With one objective the front is one genome, and the finalists are the best evaluated.
  run.settings.objectives = {"quality"};
  run.contents.generations.clear();
  run.close({found[0]}, {});
  check = check_search(run.study());
  CHECK(check->finalists == std::vector<std::string>(found.begin(), found.begin() + 6));
  CHECK(check->found.genome == "71111-71111");
}

TEST_CASE("check: better is by more than twice the standard error") {
  InstantRun run = searched();
  double lead = 0;
  // The differences are lead − 0.3, lead and lead + 0.3: a standard error of 0.3 / √3 = 0.173.
  run.result = [&](const Trial& t) {
    return trained(t.genome == kFound ? 1 : 2,
                   t.genome == kFound ? 2 - lead + 0.3 * (double(t.seed) - 6) : 2);
  };
  for (auto [by, better, worse] :
       {std::tuple{0.36, true, false}, std::tuple{0.33, false, false},
        std::tuple{-0.33, false, false}, std::tuple{-0.36, false, true}}) {
    INFO(by);
    lead = by;
    const auto check = check_search(run.study());
    CHECK(check->difference.standard_error == doctest::Approx(0.3 / std::sqrt(3.0)));
    CHECK(check->better() == better);
    CHECK(check->worse() == worse);
  }
}

TEST_CASE("check: where no design is so small, all compete, and it says so") {
  InstantRun run;
  run.found("71111-71111", 1, 0);
  run.close({"71111-71111"}, {});
  const auto check = check_search(run.study());
  const int64_t params = parameters(run, "71111-71111");
  for (auto& design : named_designs(run.study())) REQUIRE(parameters(run, design.genome) > params);
  CHECK(check->larger);
  CHECK(check->designs.size() == named_designs(run.study()).size());
}

TEST_CASE("check: a front of named designs alone has found nothing, and no front is no check") {
  InstantRun run;
  run.found("71111-91111", 1, 0);
  CHECK_FALSE(check_search(run.study()));
  run.close({"71111-91111"}, {});
  const auto check = check_search(run.study());
  REQUIRE(check);
  CHECK(check->found.genome.empty());
  CHECK_FALSE(check->failure.empty());
  CHECK(run.asked.empty());
  run = searched();
  run.settings.training.steps = 0;
  CHECK_FALSE(check_search(run.study()));
}

TEST_CASE("check: what fails is said, and what fails in part is left out") {
  InstantRun run = searched();
  auto evolved = [](const Trial& t) { return t.genome == kFound || t.genome == "11111-71111"; };
  run.result = [&](const Trial& t) { return evolved(t) ? Metrics() : trained(1, 1); };
  const auto failed = check_search(run.study());
  CHECK(failed->failure == std::string(kFound) + ": diverged");
  // A finalist that fails is not the one.
  run.result = [](const Trial& t) { return t.genome == kFound ? Metrics() : trained(1, 1); };
  CHECK(check_search(run.study())->found.genome == "11111-71111");
  run.result = [](const Trial& t) {
    return t.genome == kFound && t.seed == 6 ? Metrics() : trained(1, 1);
  };
  const auto partly = check_search(run.study());
  CHECK(partly->failure.empty());
  CHECK(partly->difference.n == 2);
  // A design that fails does not win.
  run.result = [](const Trial& t) { return t.genome == "11111-91111" ? Metrics() : trained(1, 1); };
  CHECK(check_search(run.study())->design.name == "@conv");
}

TEST_CASE("check: the designs are those of the pool, at the run's depth") {
  InstantRun run;
  auto names = [&] {
    std::set<std::string> all;
    for (auto& design : named_designs(run.study())) all.insert(design.name);
    return all;
  };
  // Of two LIVs @mamba is @hybrid, and @lfm2 is @conv.
  CHECK(names() == std::set<std::string>{"@transformer", "@hybrid", "@conv"});
  run.settings.max_depth = 8;
  CHECK(names() == std::set<std::string>{"@transformer", "@hybrid", "@mamba", "@conv", "@lfm2"});
  run.settings.pool = "extended";
  CHECK(names().count("@linear") == 1);
  run.settings.pool = "paper";
  run.settings.max_depth = 3;
  CHECK(named_designs(run.study())[0].genome == "11111-91111-11111");
  // A pool with other classes of these ids, and some of them: those that it has remain.
  run.settings.pool =
      "featurizer 1: q 21111, k 21111, v 21111\nfeaturizer 9: gate 21411, v 21411\n"
      "class 1 banded: 12223\nclass 9 memoryless: 91142\n";
  CHECK(names().empty());
  run.settings.pool =
      "featurizer 1: q 21111, k 21111, v 21111\nclass 1 attention: 12123\n"
      "featurizer 9: gate 21411, v 21411\nclass 9 memoryless: 91142\n";
  CHECK(names() == std::set<std::string>{"@transformer"});
}

}  // namespace star::synthesis
