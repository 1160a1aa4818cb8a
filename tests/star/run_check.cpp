// A run that is what a search leaves, and what is wrong with it after each of many changes.
#include "star/run_check.h"

#include <doctest/doctest.h>

#include <cmath>

#include "star/front.h"
#include "tests/temporary.h"

using namespace star;

using namespace star::synthesis;

namespace {

const std::string kA = "11111-91111", kB = "71111-91111", kC = "91111-11111", kD = "91111-71111";

SearchSettings small_settings() {
  SearchSettings s;
  s.population = 2;
  s.generations = 3;
  s.min_depth = s.max_depth = 2;
  s.bounds = {{"cache", 100}};
  return s;
}

Evaluation result(const std::string& genome, double quality, double params, double cache) {
  Evaluation e;
  e.genome = genome;
  e.metrics = {{"quality", quality}, {"params", params}, {"cache", cache}};
  return e;
}

// Two generations are complete, the third has begun.
RunContents whole_run() {
  RunContents run;
  run.reference = {{"quality", 5}, {"params", 1000}};
  run.candidates = {{0, 0, kA, {}, "initial"},
                    {0, 1, kB, {}, "initial"},
                    {1, 0, kC, {kA, kB}, "crossover"},
                    {2, 0, kD, {kC, kC}, "crossover"}};
  run.evaluations = {result(kA, 3, 200, 50), result(kB, 2, 300, 150), result(kC, 2.5, 100, 90)};
  run.evaluations[1].failure = "time limit";
  run.generations = {{0, {kA, kB}, {kA}, 0.1, 2, 1}, {1, {kA, kC}, {kC}, 0.2, 3, 1}};
  return run;
}

std::string fault_of(const RunContents& run, const SearchSettings& settings = small_settings()) {
  try {
    check_run(run, settings, "a.run");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("run check: what a search leaves at any moment makes sense") {
  RunContents run = whole_run();
  CHECK(fault_of(run) == "");
  run.candidates.pop_back();
  CHECK(fault_of(run) == "");
  // A failed one says why, and may lack what a success has.
  run.evaluations[1].metrics.clear();
  CHECK(fault_of(run) == "");
  // Of candidates that were bred, forgotten and are not bred again, results stay.
  run.evaluations.push_back(result(kD, 4, 100, 90));
  CHECK(fault_of(run) == "");
  run.generations.pop_back();
  CHECK(fault_of(run) == "");
  // What is trained after the search may be of the extended pool.
  run.evaluations.push_back(result("i1111-91111-91111", 4, 100, 90));
  run.evaluations.back().recipe = "baseline";
  run.evaluations.back().metrics["train_loss"] = std::nan("");
  CHECK(fault_of(run) == "");
  CHECK(fault_of({}) == "");
}

TEST_CASE("run check: whatever is missing or wrong is said in a line") {
  const auto fault_after = [](auto change) {
    RunContents run = whole_run();
    change(run);
    const std::string fault = fault_of(run);
    CHECK(fault.starts_with("a.run: the run file is damaged: "));
    return fault.substr(
        std::min(fault.size(), std::string("a.run: the run file is damaged: ").size()));
  };
  CHECK(fault_after([](auto& r) { r.reference.clear(); }) ==
        "it has generations and no reference point");
  CHECK(fault_after([](auto& r) { r.reference.erase("params"); }) ==
        "the reference point lacks params");
  CHECK(fault_after([](auto& r) { r.reference["luck"] = 1; }) ==
        "it has a reference value of luck, which is no objective");
  for (double value : {0.0, -1.0, std::nan(""), HUGE_VAL})
    CHECK(fault_after([&](auto& r) { r.reference["params"] = value; }) ==
          fmt::format("the reference value of params is {}", value));

  CHECK(fault_after([](auto& r) { r.candidates.erase(r.candidates.begin()); }) ==
        "candidate 0 of generation 0 is missing");
  CHECK(fault_after([](auto& r) { r.candidates.erase(r.candidates.begin() + 1); }) ==
        "candidate 0 of generation 1 was bred from 71111-91111, which was not bred");
  CHECK(fault_after([](auto& r) { r.candidates.erase(r.candidates.begin() + 2); }) ==
        "candidate 0 of generation 2 was bred from 91111-11111, which was not bred");
  CHECK(fault_after([](auto& r) { r.candidates[0].parents = {kC}; }) ==
        "candidate 0 of generation 0 was bred from 91111-11111, which was not bred");
  CHECK(fault_after([](auto& r) { r.candidates[3].parents = {kD}; }) ==
        "candidate 0 of generation 2 was bred from 91111-71111, which was not bred");
  CHECK(fault_after([](auto& r) { r.candidates[3].genome = kA; }) == "11111-91111 was bred twice");
  CHECK(fault_after([](auto& r) { r.candidates[3].generation = 3; }) ==
        "it has a candidate 0 of generation 3, in a search of 3 generations of 2");
  CHECK(fault_after([](auto& r) {
          r.candidates.push_back({2, 2, kB, {}, ""});
        }) == "candidate 1 of generation 2 is missing");
  CHECK(doctest::String(fault_after([](auto& r) { r.candidates[3].genome = "no\x1b"; }).c_str()) ==
        doctest::Contains("`no\\x1b` is no genome: "));
  CHECK(fault_after([](auto& r) { r.candidates[3].genome = "91111"; }) ==
        "91111 has 1 LIVs, in a search of 2");
  CHECK(fault_after([](auto& r) { r.candidates.resize(2); }) ==
        "generation 1 was complete with 3 candidates, there are 2");

  CHECK(fault_after([](auto& r) { r.evaluations.erase(r.evaluations.begin() + 1); }) ==
        "71111-91111 of generation 0 has no evaluation");
  CHECK(fault_after([](auto& r) { r.evaluations[0].recipe = "baseline"; }) ==
        "11111-91111 of generation 0 has no evaluation");
  for (const char* name : {"quality", "params", "cache"}) {
    CHECK(fault_after([&](auto& r) { r.evaluations[2].metrics.erase(name); }) ==
          fmt::format("the evaluation of 91111-11111 lacks {}", name));
    CHECK(fault_after([&](auto& r) { r.evaluations[2].metrics[name] = std::nan(""); }) ==
          fmt::format("the evaluation of 91111-11111 has no number for {}", name));
  }
  CHECK(doctest::String(fault_after([](auto& r) { r.evaluations[0].genome = ""; }).c_str()) ==
        doctest::Contains("is no genome"));

  CHECK(fault_after([](auto& r) { r.generations.erase(r.generations.begin()); }) ==
        "generation 0 is missing");
  CHECK(fault_after([](auto& r) { r.generations[1].evaluated = 2; }) ==
        "generation 1 was complete with 2 candidates, there are 3");
  CHECK(fault_after([](auto& r) { r.generations[1].failed = -1; }) ==
        "of the 3 candidates of generation 1, -1 failed");
  CHECK(fault_after([](auto& r) { r.generations[1].population.pop_back(); }) ==
        "generation 1 has 1 members, it should have 2");
  CHECK(fault_after([](auto& r) { r.generations[1].population[1] = kD; }) ==
        "91111-71111 is a member of generation 1 and no candidate of it");
  CHECK(fault_after([](auto& r) { r.generations[0].front = {kB}; }) ==
        "71111-91111 stands in the front of generation 0, and has failed");
  CHECK(fault_after([](auto& r) { r.generations[1].front.clear(); }) ==
        "generation 1 has no front");
  SearchSettings shorter = small_settings();
  shorter.generations = 1;
  CHECK(fault_of(whole_run(), shorter) ==
        "a.run: the run file is damaged: it has a candidate 0 of generation 1, in a search of 1 "
        "generations of 2");
}

TEST_CASE("run check: rungs stop candidates, which are counted apart") {
  SearchSettings settings = small_settings();
  settings.rungs = {10};
  settings.keep = 0.5;  // four are bred in a generation
  RunContents run = whole_run();
  const std::string kE = "61111-91111";
  run.candidates.insert(run.candidates.begin() + 2, {0, 2, kE, {}, "random"});
  Evaluation stopped = result(kE, 0, 10, 20);
  stopped.recipe = "search:rung=10";
  stopped.metrics.erase("quality");
  stopped.metrics["rung:10"] = 3;
  run.evaluations.push_back(stopped);
  for (auto& e : run.evaluations) e.metrics["rung:10"] = 4;
  run.generations[0].stopped = {kE};
  run.generations[0].promoted = 2;
  run.generations[1].promoted = 1;
  CHECK(fault_of(run, settings) == "");
  // One that failed on the way to a rung was evaluated, and not promoted.
  RunContents failed = run;
  failed.evaluations[3].failure = "time limit";
  failed.generations[0] = {0, {kA, kB}, {kA}, 0.1, 3, 2};
  failed.generations[0].promoted = 2;
  failed.generations[1].evaluated = 4;
  CHECK(fault_of(failed, settings) == "");

  const auto fault_after = [&](auto change) {
    RunContents changed = run;
    change(changed);
    return fault_of(changed, settings);
  };
  const std::string damaged = "a.run: the run file is damaged: ";
  CHECK(fault_after([](auto& r) { r.evaluations.pop_back(); }) ==
        damaged + kE + " of generation 0 has no evaluation");
  CHECK(fault_after([](auto& r) { r.evaluations[3].metrics.erase("rung:10"); }) ==
        damaged + "the evaluation of " + kE + " lacks rung:10");
  CHECK(fault_after([](auto& r) { r.evaluations[2].metrics.erase("rung:10"); }) ==
        damaged + "the evaluation of " + kC + " lacks rung:10");
  CHECK(fault_after([](auto& r) { r.generations[0].stopped.clear(); }) ==
        damaged + kE + " of generation 0 has no evaluation");
  CHECK(fault_after([&](auto& r) { r.generations[0].stopped = {kA}; }) ==
        damaged + kA + " did not come to a rung in generation 0");
  CHECK(fault_after([&](auto& r) { r.generations[1].stopped = {kE}; }) ==
        damaged + kE + " did not come to a rung in generation 1");
  CHECK(fault_after([](auto& r) { r.generations[0].evaluated = 3; }) ==
        damaged + "generation 0 was complete with 3 candidates, there are 2");
  CHECK(fault_after([](auto& r) { r.generations[1].promoted = 2; }) ==
        damaged + "of 1 candidates of generation 1, 2 passed the last rung");
  CHECK(fault_after([](auto& r) { r.generations[1].rung_tau = 2; }) ==
        damaged + "generation 1 has a rank correlation of 2");
  CHECK(fault_after([](auto& r) { r.generations[0].model_tau = -1.5; }) ==
        damaged + "generation 0 has a rank correlation of -1.5");
  CHECK(fault_after([&](auto& r) { r.generations[0].population[0] = kE; }) ==
        damaged + kE + " is a member of generation 0 and no candidate of it");
  CHECK(fault_after([&](auto& r) { r.generations[0].front = {kE}; }) ==
        damaged + kE + " stands in the front of generation 0 and was no candidate");
}

TEST_CASE("run check: what stands in the front was trained from as many seeds as was asked for") {
  SearchSettings settings = small_settings();
  settings.reseed = 1;
  RunContents run = whole_run();
  const auto lacking = [&](const std::string& genome, int generation, int seed) {
    return fmt::format(
        "a.run: the run file is damaged: {} stands in the front of generation {}, and was not "
        "trained from seed {}",
        genome, generation, seed);
  };
  CHECK(fault_of(run, settings) == lacking(kA, 0, 1));
  for (auto& genome : {kA, kC}) {
    run.evaluations.push_back(result(genome, 3, 100, 90));
    run.evaluations.back().recipe = "search:seed=1";
  }
  CHECK(fault_of(run, settings) == "");
  run.evaluations.back().failure = "time limit";
  CHECK(fault_of(run, settings) == lacking(kC, 1, 1));
  run.evaluations.back().failure = "";
  run.evaluations.back().metrics.erase("quality");
  CHECK(fault_of(run, settings) ==
        "a.run: the run file is damaged: the evaluation of " + kC + " lacks quality");
  run.evaluations.back().metrics["quality"] = 3.5;
  const std::vector<FrontMember> front = last_front(settings, run);
  REQUIRE(front.size() == 1);
  CHECK(front[0].seeds == 2);
  CHECK(front[0].objectives.at("quality") == 3);
  CHECK(front[0].deviation.at("quality") == doctest::Approx(std::sqrt(0.5)));
  // At the end of the search two more.
  settings.generations = 2;
  run.candidates.pop_back();
  CHECK(fault_of(run, settings) == lacking(kC, 1, 2));
}

TEST_CASE("run check: a front that keeps no bounds is told from one that does") {
  const SearchSettings settings = small_settings();
  RunContents run = whole_run();
  std::vector<FrontMember> front = last_front(settings, run);
  REQUIRE(front.size() == 1);
  CHECK(front[0].genome == kC);
  CHECK(front[0].violation == 0);
  CHECK(broken_bounds(settings, front) == "");
  run.evaluations[0].metrics["cache"] = 125;
  run.evaluations[2].metrics["cache"] = 200;
  run.generations[1].front = {kA, kC};
  front = last_front(settings, run);
  REQUIRE(front.size() == 2);
  CHECK(front[0].genome == kC);  // by the first objective
  CHECK(front[0].violation == 1);
  CHECK(broken_bounds(settings, front) ==
        "no candidate keeps the bounds; 11111-91111 comes nearest: cache is 125, at most 100 was "
        "asked for");
  run.generations.clear();
  CHECK(last_front(settings, run).empty());
  CHECK(broken_bounds(settings, {}) == "");
}

TEST_CASE("run check: settings of a file are held to the ranges of the command line") {
  const auto refused = [](auto change, const char* words) {
    const auto read = [&] {
      SearchSettings settings = small_settings();
      change(settings);
      settings_from_json(settings_to_json(settings));
    };
    CHECK_THROWS_WITH_AS(read(), doctest::Contains(words), Error);
  };
  CHECK_NOTHROW(settings_from_json(settings_to_json(small_settings())));
  refused([](auto& s) { s.population = 1; }, "`population` is 1, must be from 2 to 65536");
  refused([](auto& s) { s.population = 1'000'000'000; },
          "`population` is 1000000000, must be from 2");
  refused([](auto& s) { s.generations = 0; }, "`generations` is 0");
  refused([](auto& s) { s.lag = -2; }, "`lag` is -2");
  refused([](auto& s) { s.crossover_points = 0; }, "`crossover_points` is 0");
  refused([](auto& s) { s.mutation_rate = 1.5; }, "`mutation_rate` is 1.5");
  refused([](auto& s) { s.max_depth = 1001; }, "`max_depth` is 1001");
  refused([](auto& s) { s.min_depth = 3; }, "`max_depth` is 2, must be from 3");
  refused([](auto& s) { s.min_depth = 0; }, "`min_depth` is 0");
  refused([](auto& s) { s.algorithm = "luck"; }, "the algorithm luck");
  refused([](auto& s) { s.evolve = {}; }, "no level");
  refused([](auto& s) { s.evolve = {"luck"}; }, "`evolve` is luck, must be one of backbone");
  refused([](auto& s) { s.objectives = {}; }, "no objective");
  refused([](auto& s) { s.objectives = {"luck"}; }, "`luck`");
  refused([](auto& s) { s.objectives = {"params", "params"}; }, "twice");
  refused([](auto& s) { s.objectives = {"quality,params"}; }, "unknown objective `quality,params`");
  refused([](auto& s) { s.bounds = {{"luck", 1}}; }, "`luck`");
  refused([](auto& s) { s.bounds = {{"params", -1}}; }, "params=-1 is not a positive number");
  refused([](auto& s) { s.hv_reference = {{"cache", 1}}; }, "`cache` is no objective");
  refused([](auto& s) { s.cache_context = 0; }, "`cache_context` is 0");
  refused([](auto& s) { s.sizes.width = 0; }, "width 0");
  refused([](auto& s) { s.sizes.heads = 3; }, "3 heads");
  refused([](auto& s) { s.training.steps = int64_t(1) << 62; }, "`steps` is");
  refused([](auto& s) { s.training.batch = 0; }, "`batch` is 0");
  refused([](auto& s) { s.training.learning_rate = 0; }, "`lr` is 0");
  refused([](auto& s) { s.training.warmup = -0.1; }, "`warmup` is -0.1");
  refused([](auto& s) { s.limits.cpu_seconds = -1; }, "`cpu_seconds` is -1");
  refused([](auto& s) { s.device = "abacus"; }, "abacus");
}

TEST_CASE("run check: opening a file checks all of it, and names it") {
  TemporaryFolder folder;
  const std::string path = folder.file("a.run");
  {
    RunFile file = RunFile::create(path, settings_to_json(small_settings()));
    const RunContents run = whole_run();
    file.record_reference(run.reference);
    file.record(run.candidates);
    for (auto& e : run.evaluations) file.record(e);
    for (auto& g : run.generations) file.record(g);
  }
  CheckedRun run = open_run_file(path);
  CHECK(run.settings.population == 2);
  CHECK(run.contents.candidates == whole_run().candidates);
  CHECK(run.contents.evaluations.size() == 3);
  CHECK(run.contents.generations.size() == 2);
  run.file.record(std::vector<Candidate>{{2, 1, "nothing", {}, "mutation"}});
  CHECK_THROWS_WITH_AS(open_run_file(path), doctest::Contains((path + ": ").c_str()), Error);
  RunFile::create(folder.file("b.run"), "{}");
  CHECK_THROWS_WITH_AS(open_run_file(folder.file("b.run")), doctest::Contains("b.run: "), Error);
}
