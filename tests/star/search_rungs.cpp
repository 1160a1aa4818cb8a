// The search with rungs (star/promotion.h).
#include "star/statistics.h"
#include "tests/star/instant_search.h"

namespace star::synthesis {

TEST_CASE("search: rungs depend neither on the number of workers nor on their order") {
  TemporaryFolder folder;
  std::set<std::string> different;
  int run_number = 0;
  for (const char* algorithm : {"nsga2", "genetic", "random", "regularized"})
    for (int lag : {kByGenerations, 0, 3}) {
      SearchSettings settings = with_rungs(lag);
      settings.algorithm = algorithm;
      settings.objectives = {"quality", "params"};
      const int64_t bred = settings.cohort_sizes().front() * settings.generations;
      auto look = [&](const Run& now, const std::string& path) {
        CHECK(now.result.generations == 4);
        CHECK(now.result.evaluated + now.result.stopped == bred);
        CHECK(now.result.stopped > bred / 3);
        CHECK(now.result.failed > 0);
        open_run_file(path);  // makes sense
        CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == run_number);
      };
      different.insert(run_on_some_workers(settings, folder, run_number, look));
    }
  CHECK(different.size() == 11);  // random genomes do not depend on the lag
}

TEST_CASE("search: each training that ends is one more done, at a rung too") {
  TemporaryFolder folder;
  for (int lag : {kByGenerations, 0}) {
    const SearchSettings settings = with_rungs(lag);
    InstantWorkers workers(1, 1);
    workers.forgiving = true;
    RunFile file =
        RunFile::create(folder.file(fmt::format("{}.run", lag)), settings_to_json(settings));
    int64_t done = 0, total = 0;
    Search search(settings, small_data());
    search.run(file, workers, [&](const SearchProgress& p) {
      CHECK(p.done >= done);
      CHECK(p.done <= done + 1);
      done = p.done;
      total = p.total;
    });
    CHECK(done == total);
    CHECK(total > 40);
  }
}

TEST_CASE("search: at a rung the best newcomers go on, judged with the population") {
  TemporaryFolder folder;
  const SearchSettings settings = with_rungs(kByGenerations);
  const std::string path = folder.file("a.run");
  InstantWorkers workers(3, 1);
  run(settings, workers, path);
  const RunContents contents = open_run_file(path).contents;
  std::map<std::string, Evaluation> at10, at30, whole;
  for (auto& e : contents.evaluations)
    (e.recipe.is_whole() ? whole : e.recipe == Recipe::at_rung(10) ? at10 : at30)[e.genome] = e;
  const std::vector<int64_t> sizes = settings.cohort_sizes();
  for (auto& g : contents.generations) {
    std::vector<std::string> here;
    for (auto& c : contents.candidates)
      if (c.generation == g.generation) here.push_back(c.genome);
    std::vector<std::string> before;
    if (g.generation) before = contents.generations[size_t(g.generation) - 1].population;
    for (size_t stage : {0, 1}) {
      const auto& values = stage ? at30 : at10;
      const auto& next = stage ? whole : at30;
      std::vector<std::string> sound, expected;
      std::vector<Fitness> newcomers, population;
      auto fitness = [&](const Evaluation& e) {
        return rung_fitness(settings, e.metrics, settings.rungs[stage]);
      };
      for (auto& genome : here)
        if (values.at(genome).ok()) {
          sound.push_back(genome);
          newcomers.push_back(fitness(values.at(genome)));
        }
      for (auto& genome : before)
        if (whole.count(genome) && whole.at(genome).ok())
          population.push_back(fitness(whole.at(genome)));
      for (size_t i : best_newcomers(newcomers, population, size_t(sizes[stage + 1])))
        expected.push_back(sound[i]);
      here.clear();
      for (auto& genome : sound)
        if (next.count(genome)) here.push_back(genome);
      CHECK(here == expected);
    }
    CHECK(g.promoted == int64_t(here.size()));
    for (auto& genome : g.stopped) {
      CHECK(at10.at(genome).ok());
      CHECK(whole.count(genome) == 0);
    }
    std::vector<double> x, y;
    for (auto& genome : here) {
      if (!whole.at(genome).ok()) continue;
      x.push_back(at30.at(genome).metrics.at("rung:30"));
      y.push_back(whole.at(genome).metrics.at("quality"));
    }
    CHECK(g.rung_tau == kendall_tau(x, y).tau);
  }
  CHECK(mean_rung_tau(contents.generations) > 0.5);
}

TEST_CASE("search: with rungs, too, it comes to the same end from every moment") {
  TemporaryFolder folder;
  for (int lag : {kByGenerations, 3}) {
    const SearchSettings settings = with_rungs(lag);
    InstantWorkers one(1, 1);
    const Run whole = run(settings, one, folder.file(fmt::format("whole{}", lag)));
    for (int patience : {1, 4, 9}) {
      const std::string path = folder.file(fmt::format("{}-{}", lag, patience));
      const Run now = run_in_pieces(settings, path, patience, [&](const Run& stop) {
                        check_run(RunFile::open(path).contents(), settings, path);
                        CHECK(std::filesystem::exists(path + ".rungs") == stop.result.interrupted);
                      }).end;
      CHECK(now.contents == whole.contents);
      CHECK(mean_rung_tau(now.result.history) == mean_rung_tau(whole.result.history));
      InstantWorkers idle(2, 0);
      CHECK(run(settings, idle, path).contents == whole.contents);
      CHECK(idle.asked.empty());
      // Failures tried again lead where a search without them leads, from here too.
      InstantWorkers calm(2, 5), again(2, 6);
      calm.forgiving = again.forgiving = true;
      const std::string other = path + "-calm";
      CHECK(run(settings, again, path, {}, true).result.failed == 0);
      run(settings, calm, other);
      CHECK(story(RunFile::open(path)) == story(RunFile::open(other)));
      check_run(RunFile::open(path).contents(), settings, path);
    }
  }
}

TEST_CASE("search: rungs that cannot judge are refused") {
  auto refused = [](const char* words, auto change) {
    const auto begin = [&] {
      SearchSettings settings = with_rungs(kByGenerations);
      change(settings);
      Search(settings, small_data());
    };
    CHECK_THROWS_WITH_AS(begin(), doctest::Contains(words), Error);
  };
  refused("rungs 30,10", [](SearchSettings& s) { s.rungs = {30, 10}; });
  refused("rungs 150", [](SearchSettings& s) { s.rungs = {150}; });
  refused("rungs 0", [](SearchSettings& s) { s.rungs = {0}; });
  refused("`keep` is 0", [](SearchSettings& s) { s.keep = 0; });
  refused("`keep` is nan", [](SearchSettings& s) { s.keep = std::nan(""); });
  refused("no objective", [](SearchSettings& s) { s.objectives = {"params", "cache"}; });
  refused("screening", [](SearchSettings& s) {
    s.rungs.clear();
    s.screen = 2;
    s.objectives = {"params"};
  });
  refused("comes first", [](SearchSettings& s) {
    s.algorithm = "genetic";
    s.objectives = {"params", "quality"};
  });
  refused("`candidates of a generation`", [](SearchSettings& s) { s.keep = 1e-9; });
}

}  // namespace star::synthesis
