#include "star/report.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "star/genome.h"
#include "tests/temporary.h"

using namespace star;

using namespace star::synthesis;
using nlohmann::json;

namespace {

const std::string kShared = "22212-91111-22212-91111";  // weights and features
const std::string kPlain = "11111-91111-71111-91111";

SearchSettings small_settings() {
  SearchSettings s;
  s.population = 2;
  s.generations = 2;
  s.min_depth = s.max_depth = 4;
  s.sizes.width = 16;
  s.sizes.heads = 2;
  s.sizes.vocab = 256;
  s.task = "source";
  return s;
}

Evaluation result(const std::string& genome, double quality, double params) {
  Evaluation e;
  e.genome = genome;
  e.seconds = 1.5;
  e.metrics = {{"quality", quality}, {"params", params}};
  for (int step = 1; step <= 100; ++step) e.curve.push_back({step, 5.0 / step});
  return e;
}

// Two generations: kPlain and kShared, then a child of both that failed.
RunFile make_run(const std::string& path, const SearchSettings& settings) {
  RunFile run = RunFile::create(path, settings_to_json(settings));
  run.record_reference({{"quality", 5}, {"params", 100}});
  run.record(std::vector<Candidate>{{0, 0, kPlain, {}, "initial"}, {0, 1, kShared, {}, "initial"}});
  run.record(result(kPlain, 2.5, 50));
  run.record(result(kShared, 3, 25));
  run.record(Generation{0, {kPlain, kShared}, {kPlain, kShared}, 0.5, 2, 0});
  run.record(std::vector<Candidate>{{1, 0, "11111", {kPlain, kShared}, "crossover"}});
  Evaluation failed;
  failed.genome = "11111";
  failed.failure = "time limit";
  run.record(failed);
  run.record(Generation{1, {kPlain, kShared}, {kPlain}, 0.25, 3, 1});
  return run;
}

const json& genome_of(const json& report, const std::string& text) {
  for (auto& genome : report["genomes"])
    if (genome["genome"] == text) return genome;
  FAIL(text << " is not in the report");
  return report;
}

std::string text_at(const json& report, const json& place) {
  return report["genomes"].at(place.get<size_t>())["genome"];
}

}  // namespace

TEST_CASE("report: holds what the run file holds") {
  TemporaryFolder folder;
  RunFile run = make_run(folder.file("a.run"), small_settings());
  const json report = report_data(run, "a.run");
  CHECK(report["run"] == "a.run");
  CHECK(report["settings"] == json::parse(settings_to_json(small_settings())));
  CHECK(report["reference"] == json{{"quality", 5}, {"params", 100}});
  CHECK(report["random"].is_null());

  REQUIRE(report["generations"].size() == 2);
  CHECK(report["generations"][0]["hypervolume"] == 0.5);
  CHECK(report["generations"][1]["failed"] == 1);
  REQUIRE(report["generations"][1]["front"].size() == 1);
  CHECK(text_at(report, report["generations"][1]["front"][0]) == kPlain);

  REQUIRE(report["candidates"].size() == 3);
  const json& child = report["candidates"][2];
  CHECK(child["origin"] == "crossover");
  CHECK(text_at(report, child["genome"]) == "11111");
  CHECK(text_at(report, child["parents"][0]) == kPlain);
  CHECK(text_at(report, child["parents"][1]) == kShared);

  const json& plain = genome_of(report, kPlain);
  CHECK(plain["status"] == "ok");
  CHECK(plain["seconds"] == 1.5);
  CHECK(plain["metrics"]["quality"] == 2.5);
  CHECK(plain["metrics"]["params"] == 50);  // what was recorded, not what is computed
  CHECK(plain["curve"].size() == 100);      // whole: it is in the last front
  CHECK(plain["curve"][9] == json::array({10, 0.5}));
  CHECK(genome_of(report, "11111")["status"] == "failed");
  CHECK(genome_of(report, "11111")["failure"] == "time limit");
}

TEST_CASE("report: draws a backbone with its sharing, and marks baselines") {
  TemporaryFolder folder;
  RunFile run = make_run(folder.file("a.run"), small_settings());
  const json report = report_data(run, "a.run");
  const json& shared = genome_of(report, kShared);
  REQUIRE(shared["layers"].size() == 4);
  const json& kind = report["kinds"].at(shared["layers"][0][0].get<size_t>());
  CHECK(kind["name"] == "SA-2");
  CHECK(kind["mixing"] == "attention");
  CHECK(shared["layers"][0][0] == shared["layers"][2][0]);
  CHECK(shared["layers"][2][2] < shared["layers"][0][2]);  // it shares weights
  CHECK(shared["layers"][2][3] < shared["layers"][0][3]);  // and the cache
  const json links = {{"weights", 0, 2, "q"}, {"features", 0, 2, "k"}, {"features", 0, 2, "v"}};
  CHECK(shared["links"] == links);
  CHECK(genome_of(report, kPlain)["links"].empty());

  std::vector<std::string> names;
  for (auto& baseline : report["baselines"]) {
    names.push_back(baseline["name"]);
    const json& genome = report["genomes"].at(baseline["genome"].get<size_t>());
    CHECK(genome["layers"].size() == 4);
    CHECK(genome["metrics"]["params"] > 0);
    CHECK(genome["status"] == "waiting");
  }
  CHECK(names == genome_names());
}

TEST_CASE("report: a run that has just begun, and genomes that are none") {
  TemporaryFolder folder;
  RunFile run = RunFile::create(folder.file("a.run"), settings_to_json(small_settings()));
  json report = report_data(run, "a.run");
  CHECK(report["generations"].empty());
  CHECK(report["candidates"].empty());
  CHECK(report["reference"].empty());
  const std::string hostile = "</script>\u2028\"\xff";
  run.record(std::vector<Candidate>{{0, 0, hostile, {"z"}, "seed"}});
  Evaluation e = result("z", std::nan(""), std::numeric_limits<double>::infinity());
  e.curve = {{INT64_MIN, 1}, {-1, 2}, {INT64_MAX, std::nan("")}};
  run.record(e);
  report = report_data(run, "a.run");
  CHECK(genome_of(report, hostile)["layers"].empty());
  CHECK(genome_of(report, hostile)["status"] == "waiting");
  CHECK(report["candidates"][0]["parents"].size() == 1);
  json read = json::parse(report.dump(-1, ' ', true, json::error_handler_t::replace));
  CHECK(genome_of(read, "z")["metrics"]["quality"].is_null());
  CHECK(genome_of(read, "z")["metrics"]["params"].is_null());
}

TEST_CASE("report: an interrupt ends the drawing, and there is no report") {
  TemporaryFolder folder;
  RunFile run = make_run(folder.file("a.run"), small_settings());
  int asked = 0;
  CHECK(report_data(run, "a.run", [&] { return ++asked > 1; }).is_null());
  CHECK(asked == 2);
  CHECK_FALSE(report_data(run, "a.run", [] { return false; }).is_null());
}

TEST_CASE("report: curves are thinned to means over steps") {
  std::vector<CurvePoint> curve;
  for (int i = 1; i <= 10; ++i) curve.push_back({i, double(i)});
  CHECK(thinned(curve, 10) == curve);
  CHECK(thinned(curve, 5) ==
        std::vector<CurvePoint>{{2, 1.5}, {4, 3.5}, {6, 5.5}, {8, 7.5}, {10, 9.5}});
  // Points that stand for more steps weigh more: (1·4 + 3·2) / 4.
  CHECK(thinned({{1, 4.0}, {4, 2.0}}, 1) == std::vector<CurvePoint>{{4, 2.5}});
  // The mean over all steps stays.
  const std::vector<CurvePoint> three = thinned(curve, 3);
  double sum = 0, before = 0;
  for (auto& p : three) {
    sum += p.loss * (double(p.step) - before);
    before = double(p.step);
  }
  CHECK(three.size() == 3);
  CHECK(sum == doctest::Approx(55).epsilon(1e-12));
}

TEST_CASE("report: of many curves only those of the last front stay whole") {
  TemporaryFolder folder;
  RunFile run = make_run(folder.file("a.run"), small_settings());
  std::vector<Candidate> more;
  for (int i = 0; i < 500; ++i) {
    more.push_back({2, i, fmt::format("more {}", i), {}, "random"});
    run.record(result(more.back().genome, 4, 80));
  }
  run.record(more);
  const json report = report_data(run, "a.run");
  CHECK(genome_of(report, kPlain)["curve"].size() == 100);
  const size_t thin = genome_of(report, "more 7")["curve"].size();
  CHECK(thin < 60);
  CHECK(thin >= 12);
}

TEST_CASE("report: counts training steps from all seeds, of what stopped those to its rung") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.reseed = 1;
  RunFile run = make_run(folder.file("a.run"), settings);
  Evaluation again = result(kPlain, 2.7, 50), stopped = result("71111", 3.5, 50);
  for (int seed : {1, 2}) {  // the second at the end
    again.recipe = Recipe::of_seed(seed);
    run.record(again);
  }
  run.record(std::vector<Candidate>{{1, 1, "71111", {}, "random"}});
  stopped.recipe = Recipe::at_rung(30);
  run.record(stopped);
  Evaluation to_rung = result(kShared, 3.2, 25), other = result(kShared, 3.1, 25);
  to_rung.recipe = Recipe::at_rung(30);  // and then to its end
  run.record(to_rung);
  other.recipe = Recipe::baseline();
  run.record(other);
  const json report = report_data(run, "a.run");
  CHECK(report["generations"][0]["steps"] == 3 * 150);
  CHECK(report["generations"][1]["steps"] == 5 * 150 + 30);
}

TEST_CASE("report: random search is judged by all that it found") {
  TemporaryFolder folder;
  RunFile run = make_run(folder.file("a.run"), small_settings());
  SearchSettings settings = small_settings();
  settings.algorithm = "random";
  settings.seed = 7;
  settings.generations = 9;
  RunFile random = make_run(folder.file("b.run"), settings);
  json report = report_data(run, "a.run");
  add_random_search(report, random, "b.run");
  CHECK(report["random"]["run"] == "b.run");
  const json& found = report["random"]["generations"];
  REQUIRE(found.size() == 2);
  // kPlain at (2.5, 50) and kShared at (3, 25) in a box of 5 × 100: 0.5·0.5 + 0.4·0.75 − 0.4·0.5.
  CHECK(found[0]["hypervolume"].get<double>() == doctest::Approx(0.35).epsilon(1e-12));
  CHECK(found[1]["hypervolume"] == found[0]["hypervolume"]);  // what was found stays found
  CHECK(found[1]["evaluated"] == 3);
  CHECK(found[0]["steps"] == 2 * 150);
  CHECK(found[1]["steps"] == 3 * 150);

  json again = report_data(run, "a.run");
  CHECK_THROWS_WITH_AS(add_random_search(again, run, "a.run"),
                       "a.run: a search by nsga2, where one by random is wanted", Error);
  settings.training.steps = 7;
  RunFile other = make_run(folder.file("c.run"), settings);
  CHECK_THROWS_WITH_AS(add_random_search(again, other, "c.run"),
                       "c.run: not comparable, its `steps` is 7 and that of a.run 150", Error);
}
