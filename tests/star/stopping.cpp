#include "star/stopping.h"

#include <doctest/doctest.h>

#include "tests/star/instant_search.h"

namespace star::synthesis {
namespace {

std::vector<Generation> with_volumes(const std::vector<double>& volumes) {
  std::vector<Generation> all;
  for (double v : volumes) {
    Generation g;
    g.hypervolume = v;
    all.push_back(g);
  }
  return all;
}

}  // namespace

TEST_CASE("stopping: a member of the front that has all values, and keeps the bounds") {
  SearchSettings s;
  s.objectives = {"quality", "params"};
  s.until = {{"quality", 2}, {"params", 1000}};
  const auto reason = [&](double quality, double params, double violation) {
    Archive archive;
    archive.add(0, {{quality, params}, violation, false});
    return reason_to_stop(s, {}, archive.members());
  };
  CHECK(reason(2, 1000, 0) == "quality 2, params 1000 was reached");
  CHECK(reason(2.001, 1000, 0).empty());
  CHECK(reason(2, 1001, 0).empty());
  CHECK(reason(2, 1000, 0.1).empty());
  s.until = {{"params", 5}};
  CHECK(reason(9, 5, 0) == "params 5 was reached");
  s.until.clear();
  CHECK(reason(0, 0, 0).empty());
}

TEST_CASE("stopping: generations without a gain in hypervolume") {
  SearchSettings s;
  const auto stops = [&](const std::vector<double>& volumes) {
    return !reason_to_stop(s, with_volumes(volumes), {}).empty();
  };
  CHECK_FALSE(stops({0.5, 0.5, 0.5, 0.5}));
  s.patience = 2;
  CHECK_FALSE(stops({0.5, 0.5}));
  CHECK(stops({0.5, 0.5, 0.5}));
  CHECK_FALSE(stops({0.5, 0.5, 0.6}));
  CHECK_FALSE(stops({0.5, 0.6, 0.6}));
  CHECK(stops({0.5, 0.6, 0.6, 0.6}));
  CHECK(stops({0.6, 0.5, 0.6}));  // another seed took some away
  s.earlier_bounds = {{1, {}}};
  CHECK_FALSE(stops({0.6, 0.4, 0.5}));
  CHECK_FALSE(stops({0.6, 0.4, 0.4}));
  CHECK(stops({0.6, 0.4, 0.4, 0.4}));
  s.earlier_bounds = {};
  CHECK(reason_to_stop(s, with_volumes({0, 0, 0}), {}) ==
        "2 generations without a gain in hypervolume");
}

TEST_CASE("stopping: no generation begins that would end too late") {
  Deadline deadline(100, 1000);
  CHECK(deadline.reason_to_stop(1030).empty());  // the next would end at 1060
  CHECK(deadline.reason_to_stop(1050).empty());  // at 1070
  CHECK(deadline.reason_to_stop(1075).empty());  // at 1100
  CHECK_FALSE(deadline.reason_to_stop(1095).empty());
  Deadline any(0, 0);
  CHECK(any.reason_to_stop(1e9).empty());
}

namespace {

// All ways to breed and to judge.
std::vector<SearchSettings> all_kinds() {
  std::vector<SearchSettings> all;
  for (int lag : {kByGenerations, 0, 3})
    for (bool rungs : {false, true})
      for (bool seeds : {false, true}) {
        all.push_back(seeds ? with_seeds(lag, rungs) : rungs ? with_rungs(lag) : small_settings());
        all.back().lag = lag;
        all.back().objectives = {"quality", "params"};
      }
  return all;
}

std::string described(const SearchSettings& s) {
  return fmt::format("lag {}, {} rungs, reseed {}", s.lag, s.rungs.size(), s.reseed);
}

// What a run file holds in the end that was gone on with, under the settings that it held, after
// every five answers.
std::string in_pieces(const SearchSettings& settings, const std::string& path) {
  for (uint64_t start = 0;; ++start) {
    const bool begun = std::filesystem::exists(path);
    InstantWorkers two(2, start, 5);
    const Run piece = run(begun ? open_run_file(path).settings : settings, two, path,
                          [&] { return two.tired(); });
    if (!piece.result.interrupted) return piece.contents;
  }
}

Run run_once(const SearchSettings& settings, const std::string& path) {
  InstantWorkers workers(3, 5);
  return run(settings, workers, path);
}

SearchSettings gone_on(const std::string& path, const SearchSettings& held, int generations,
                       const Bounds& bounds) {
  RunFile file = RunFile::open(path);
  SearchSettings onward = held;
  onward.generations = generations;
  onward.bounds = bounds;
  return go_on_under(onward, held, file);
}

}  // namespace

TEST_CASE("search: with more generations a run goes on as if it had been begun with them") {
  TemporaryFolder folder;
  int number = 0;
  for (SearchSettings settings : all_kinds()) {
    INFO(described(settings));
    settings.generations = 5;
    const std::string path = folder.file(fmt::format("{}.run", ++number));
    const Run whole = run_once(settings, folder.file(fmt::format("whole-{}.run", number)));
    SearchSettings held = settings;
    held.generations = 2;
    run_once(held, path);
    for (int generations : {3, 5}) {
      {
        RunFile file = RunFile::open(path);
        SearchSettings longer = settings;
        longer.generations = generations;
        go_on_under(longer, held, file);
        held = longer;
      }
      run_once(held, path);
      open_run_file(path);  // makes sense
    }
    // Further seeds of fronts that were the last once are left over.
    const Run end = run_once(settings, path);
    CHECK(end.result.hypervolume == whole.result.hypervolume);
    CHECK(story(RunFile::open(path)) ==
          story(RunFile::open(folder.file(fmt::format("whole-{}.run", number)))));
    if (settings.reseed == 0) CHECK(end.contents == whole.contents);
    RunFile file = RunFile::open(path);
    SearchSettings shorter = settings;
    shorter.generations = 4;
    CHECK_THROWS_AS(go_on_under(shorter, settings, file), Error);
  }
}

TEST_CASE("search: under other bounds a run goes on with what it has, wherever it is stopped") {
  TemporaryFolder folder;
  int number = 0, moved = 0;
  for (SearchSettings first : all_kinds()) {
    INFO(described(first));
    ++number;
    if (first.lag == 3) first.lag = 8;  // more than a generation
    const auto path = [&](const char* name) {
      return folder.file(fmt::format("{}-{}.run", name, number));
    };
    first.generations = 2;
    run_once(first, path("on"));
    const RunContents before = RunFile::open(path("on")).contents();
    double most = 0;  // the mean
    for (auto& e : before.evaluations)
      if (e.ok()) most += e.metrics.at("params") / double(before.evaluations.size());
    const SearchSettings tight = gone_on(path("on"), first, 4, {{"params", most}});
    CHECK(tight.earlier_bounds == std::vector<EarlierBounds>{{2, {}}});
    run_once(tight, path("on"));
    const RunContents on = RunFile::open(path("on")).contents();
    // What was bred before stays; what is found in the end keeps the bounds.
    CHECK(std::equal(before.candidates.begin(), before.candidates.end(), on.candidates.begin()));
    const std::vector<FrontMember> front = last_front(tight, on);
    CHECK_FALSE(front.empty());
    for (auto& member : front) CHECK(member.objectives.at("params") <= most);
    const SearchSettings loose = gone_on(path("on"), tight, 6, {{"params", 1.5 * most}});
    CHECK(loose.earlier_bounds == std::vector<EarlierBounds>{{2, {}}, {4, {{"params", most}}}});
    run_once(loose, path("on"));
    open_run_file(path("on"));  // makes sense
    // In one go, and in pieces.
    const std::string whole = run_once(loose, path("whole")).contents;
    CHECK(story(RunFile::open(path("on"))) == story(RunFile::open(path("whole"))));
    CHECK(in_pieces(loose, path("pieces")) == whole);
    SearchSettings never = loose;
    never.earlier_bounds = {};
    run_once(never, path("never"));
    moved += RunFile::open(path("never")).candidates() != RunFile::open(path("whole")).candidates();
  }
  CHECK(moved > 6);
}

TEST_CASE("search: what was not measured cannot be bounded when a run goes on") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.generations = 2;
  const std::string path = folder.file("a.run");
  run_once(settings, path);
  RunFile file = RunFile::open(path);
  SearchSettings onward = settings;
  onward.bounds = {{"latency:decode", 1}};
  CHECK_THROWS_WITH_AS(go_on_under(onward, settings, file),
                       doctest::Contains("was begun without, and did not measure it"), Error);
  onward.bounds = {{"cache", 1e6}, {"quality", 2}};
  // Changed once more before another generation has begun, they were never there.
  const SearchSettings bound = go_on_under(onward, settings, file);
  CHECK(bound.earlier_bounds == std::vector<EarlierBounds>{{2, {}}});
  onward = bound;
  onward.bounds = {{"cache", 1e5}};
  CHECK(go_on_under(onward, bound, file).earlier_bounds == bound.earlier_bounds);
}

TEST_CASE("search: one that ends early is one of so many generations") {
  TemporaryFolder folder;
  int number = 0, early = 0;
  for (SearchSettings settings : all_kinds()) {
    INFO(described(settings));
    settings.generations = 12;
    settings.patience = 1;
    const std::string path = folder.file(fmt::format("{}.run", ++number));
    const Run ended = run_once(settings, path);
    const int generations = ended.result.generations;
    if (ended.result.ended.empty()) continue;
    ++early;
    CHECK(generations < 12);
    CHECK(ended.result.ended == "1 generation without a gain in hypervolume");
    const SearchSettings kept = open_run_file(path).settings;
    CHECK(kept.generations == generations);
    // The same as without the rule, and however often it was interrupted.
    SearchSettings plain = settings;
    plain.patience = 0;
    plain.generations = generations;
    CHECK(run_once(plain, folder.file(fmt::format("plain-{}.run", number))).contents ==
          ended.contents);
    CHECK(in_pieces(settings, folder.file(fmt::format("pieces-{}.run", number))) == ended.contents);
    // To go on with it, which needs more patience.
    RunFile file = RunFile::open(path);
    SearchSettings longer = kept;
    longer.generations = generations + 2;
    longer.patience = 0;
    go_on_under(longer, kept, file);
    CHECK(run_once(longer, path).result.generations == generations + 2);
  }
  CHECK(early > 6);
}

}  // namespace star::synthesis
