#include "star/search.h"

#include "star/compiler.h"
#include "star/statistics.h"
#include "tests/star/instant_search.h"

namespace star::synthesis {

TEST_CASE("search: neither the number of workers nor their order changes anything") {
  TemporaryFolder folder;
  std::set<std::string> different;
  int run_number = 0;
  for (int lag : {kByGenerations, 0, 1, 5, 100}) {
    SearchSettings settings = small_settings();
    settings.lag = lag;
    std::string expected;
    for (int workers : {1, 2, 3, 9}) {
      InstantWorkers some(workers, uint64_t(++run_number));
      const Run now = run(settings, some, folder.file(fmt::format("{}.run", run_number)));
      CHECK(now.result.generations == 4);
      CHECK(now.result.evaluated == 24);
      CHECK(now.result.hypervolume.size() == 4);
      CHECK(some.asked.size() == 24);
      // No further ahead than it is allowed to look.
      if (lag >= 0) CHECK(some.most_ahead <= lag);
      if (expected.empty()) expected = now.contents;
      CHECK(now.contents == expected);
    }
    different.insert(expected);
  }
  CHECK(different.size() == 5);
}

TEST_CASE("search: stopped and gone on with, at every moment, it comes to the same end") {
  TemporaryFolder folder;
  for (int lag : {kByGenerations, 3}) {
    SearchSettings settings = small_settings();
    settings.lag = lag;
    InstantWorkers one(1, 1);
    const Run whole = run(settings, one, folder.file(fmt::format("whole{}", lag)));
    for (int patience : {1, 2, 5}) {
      const std::string path = folder.file(fmt::format("{}-{}", lag, patience));
      const auto [now, starts] = run_in_pieces(settings, path, patience);
      CHECK(starts == (24 + patience - 1) / patience);
      CHECK(now.contents == whole.contents);
      CHECK(now.result.hypervolume == whole.result.hypervolume);
      // Once more: nothing is left to do.
      InstantWorkers idle(2, 0);
      CHECK(run(settings, idle, path).contents == whole.contents);
      CHECK(idle.asked.empty());
      CHECK(std::isnan(run(settings, idle, path).result.busy));
    }
  }
}

TEST_CASE("search: failures tried again lead where a search without them leads") {
  TemporaryFolder folder;
  for (int lag : {kByGenerations, 3}) {
    SearchSettings settings = small_settings();
    settings.lag = lag;
    const std::string calm = folder.file(fmt::format("calm{}", lag));
    InstantWorkers forgiving(1, 1);
    forgiving.forgiving = true;
    CHECK(run(settings, forgiving, calm).result.failed == 0);
    const std::string expected = story(RunFile::open(calm));
    for (int patience : {-1, 1, 5}) {
      const std::string path = folder.file(fmt::format("{}-{}", lag, patience));
      InstantWorkers harsh(2, 2);
      const Run failed = run(settings, harsh, path);
      REQUIRE(failed.result.failed > 1);
      REQUIRE(story(RunFile::open(path)) != expected);
      // What fails again changes nothing, and nothing else is trained again.
      InstantWorkers again(2, 3);
      CHECK(run(settings, again, path, {}, true).contents == failed.contents);
      CHECK(int64_t(again.asked.size()) == failed.result.failed);
      // Without being asked for, nothing is tried again.
      InstantWorkers idle(2, 0);
      CHECK(run(settings, idle, path).contents == failed.contents);
      CHECK(idle.asked.empty());

      Run now;
      std::set<std::string> trained;
      do {
        InstantWorkers two(2, 4, patience);
        two.forgiving = true;
        now = run(
            settings, two, path, [&] { return two.tired(); }, true);
        for (auto& request : two.asked) {
          // What was started when it was interrupted is begun twice.
          if (patience < 0) CHECK(trained.insert(request).second);
        }
        // At every moment the file makes sense.
        check_run(RunFile::open(path).contents(), settings, path);
      } while (now.result.interrupted);
      CHECK(story(RunFile::open(path)) == expected);
      CHECK(now.result.failed == 0);
      CHECK(now.result.evaluated == 24);
    }
  }
}

TEST_CASE("search: an interrupt is heeded while genomes are bred, and nothing half is kept") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.population = 1000;
  settings.max_depth = 50;
  RunFile file = RunFile::create(folder.file("a.run"), settings_to_json(settings));
  for (int most : {1, 20, 1100}) {  // 1100: while what was bred is recorded
    int asked = 0;
    InstantWorkers workers(1, 1);
    Search search(settings, small_data());
    const SearchResult result = search.run(file, workers, {}, [&] { return ++asked > most; });
    CHECK(result.interrupted);
    CHECK(asked < most + 5);
    CHECK(workers.asked.empty());
    CHECK(file.candidates().empty());
  }
}

TEST_CASE("search: parents of steady breeding were known when the lag says so") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.lag = 2;
  InstantWorkers workers(3, 3);
  const std::string path = folder.file("a.run");
  run(settings, workers, path);
  std::map<std::string, int> number;
  int parents = 0;
  for (auto& c : RunFile::open(path).candidates()) {
    const int i = c.generation * settings.population + c.place;
    CHECK(i == int(number.size()));
    for (auto& parent : c.parents) CHECK(number.at(parent) <= i - 1 - settings.lag);
    parents += int(c.parents.size());
    number[c.genome] = i;
  }
  CHECK(parents > 20);
}

TEST_CASE("search: what is measured is measured alone, once a success, and kept") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.objectives = {"quality", "latency"};
  settings.bounds = {{"memory", 1e9}};
  InstantWorkers workers(2, 4);
  const Run first = run(settings, workers, folder.file("a.run"));
  CHECK(workers.measured == 1 + first.result.evaluated - first.result.failed);
  for (auto& member : first.result.front) {
    CHECK(member.objectives.at("latency") == member.metrics.at("latency"));
    CHECK(member.metrics.at("latency:spread") == 1);
    CHECK(member.objectives.count("memory") == 0);
  }
  const RunFile file = RunFile::open(folder.file("a.run"));
  // Twice what was measured of @transformer, first of all.
  CHECK(file.reference().at("latency") ==
        2 * (double(std::string("11111-91111-11111-91111").size()) + 1));
  CHECK(file.reference().at("quality") == std::log(8.0));
  InstantWorkers others(2, 5);
  others.noise = 1000;
  CHECK(run(settings, others, folder.file("a.run")).contents == first.contents);
  CHECK(others.measured == 0);
}

TEST_CASE("search: the reference point can be given") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.objectives = {"quality", "latency"};
  settings.hv_reference = {{"quality", 1.5}, {"latency", 70}};
  InstantWorkers workers(2, 4);
  const Run now = run(settings, workers, folder.file("a.run"));
  const std::map<std::string, double> reference = RunFile::open(folder.file("a.run")).reference();
  CHECK(reference == std::map<std::string, double>{{"quality", 1.5}, {"latency", 70}});
  std::vector<std::vector<double>> points;
  for (auto& m : now.result.front)
    points.push_back({m.objectives.at("quality"), m.objectives.at("latency")});
  CHECK(now.result.hypervolume.back() == doctest::Approx(hypervolume(points, {1.5, 70})));
  CHECK(now.result.hypervolume.back() > 0);
  CHECK(workers.measured == now.result.evaluated - now.result.failed);  // no Transformer
  settings.hv_reference = {{"params", 5}};
  CHECK_THROWS_WITH_AS(Search(settings, small_data()), doctest::Contains("params"), Error);
}

TEST_CASE("search: a run of a program that breeds otherwise is not gone on with") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  const std::string path = folder.file("a.run");
  {
    RunFile file = RunFile::create(path, settings_to_json(settings));
    file.record(std::vector<Candidate>{{0, 0, "11111-11111", {}, "initial"}});
  }
  InstantWorkers workers(1, 1);
  CHECK_THROWS_WITH_AS(run(settings, workers, path), doctest::Contains("another version"),
                       RunFileDamaged);
  CHECK(RunFile::open(path).candidates().size() == 1);
}

TEST_CASE("search: the front is of all that was evaluated, and its hypervolume never falls") {
  TemporaryFolder folder;
  for (auto& algorithm : SearchAlgorithm::names())
    for (int lag : {kByGenerations, 3}) {
      CAPTURE(algorithm);
      SearchSettings settings = small_settings();
      settings.algorithm = algorithm;
      settings.lag = lag;
      settings.generations = 8;
      InstantWorkers workers(2, 1);
      const std::string path = folder.file(fmt::format("{}{}.run", algorithm, lag));
      const SearchResult result = run(settings, workers, path).result;
      const RunContents file = open_run_file(path).contents;
      std::map<std::string, Fitness> fitness;
      for (auto& e : file.evaluations)
        if (e.ok()) fitness[e.genome] = fitness_of(e.metrics, settings.objectives, settings.bounds);
      std::vector<Fitness> told;
      std::vector<std::string> genomes;
      size_t next = 0;
      for (auto& g : file.generations) {
        for (; next < file.candidates.size() && file.candidates[next].generation <= g.generation;
             ++next) {
          auto result_of = fitness.find(file.candidates[next].genome);
          if (result_of == fitness.end()) continue;
          genomes.push_back(result_of->first);
          told.push_back(result_of->second);
        }
        std::vector<std::string> front;
        const std::vector<int> first = sort_fronts(told).at(0);
        for (int i : first) front.push_back(genomes[size_t(i)]);
        CHECK(g.front == front);
      }
      for (size_t g = 1; g < result.hypervolume.size(); ++g) {
        CHECK(result.hypervolume[g] >= result.hypervolume[g - 1]);
        CHECK(result.scaled[g] >= result.scaled[g - 1]);
      }
      CHECK(result.scaled.back() > 0);
      CHECK(result.front.size() == file.generations.back().front.size());
    }
}

TEST_CASE("search: settings out of range are refused") {
  auto refused = [](const char* words, auto change) {
    const auto begin = [&] {
      SearchSettings settings = small_settings();
      change(settings);
      Search(settings, small_data());
    };
    CHECK_THROWS_WITH_AS(begin(), doctest::Contains(words), Error);
  };
  refused("`lag` is -2", [](SearchSettings& s) { s.lag = -2; });
  refused("`crossover_points` is 0", [](SearchSettings& s) { s.crossover_points = 0; });
  refused("`mutation_rate` is 1.5", [](SearchSettings& s) { s.mutation_rate = 1.5; });
  refused("unknown objective `luck`", [](SearchSettings& s) { s.objectives = {"luck"}; });
  refused("`latency@0`", [](SearchSettings& s) { s.bounds = {{"latency@0", 5}}; });
  refused("`validation_tokens` is -2", [](SearchSettings& s) { s.validation_tokens = -2; });
}

TEST_CASE("search: real workers train, measure and agree with what they are asked") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.population = 2;
  settings.generations = 1;
  settings.training.steps = 2;
  settings.training.batch = 2;
  settings.cache_context = 20;
  settings.objectives = {"quality", "latency:prefill", "latency:decode@9", "memory"};
  Search search(settings, small_data());
  RunFile file = RunFile::create(folder.file("a.run"), settings_to_json(settings));
  auto workers = search.local_workers(2);
  const SearchResult result = search.run(file, *workers);
  CHECK(result.failed == 0);
  CHECK(result.busy > 0);
  CHECK(result.busy <= 1);
  for (auto& e : file.evaluations()) {
    const Evaluation again = evaluate(candidate_trial(settings, e.genome), small_data());
    CHECK(e.metrics.at("quality") == again.metrics.at("quality"));
    for (const char* name : {"latency:prefill", "latency:decode@9"}) {
      CHECK(e.metrics.at(name) > 0);
      CHECK(e.metrics.at(std::string(name) + ":spread") >= 0);
    }
    // Parameters, their gradients and the state at least.
    CHECK(e.metrics.at("memory") >= 0);
    CHECK(e.metrics.at("memory") < 1e9);
  }
}

TEST_CASE("search: the initial population begins with the named designs, or as it is told") {
  TemporaryFolder folder;
  SearchSettings settings = small_settings();
  settings.generations = 1;
  const auto initial = [&](const std::string& name) {
    const std::string path = folder.file(name);
    InstantWorkers workers(2, 2);
    run(settings, workers, path);
    std::vector<std::string> seeds;
    for (auto& c : RunFile::open(path).candidates()) {
      CHECK((c.origin == "seed" || c.origin == "initial"));
      if (c.origin == "seed") CHECK(size_t(c.place) == seeds.size());
      if (c.origin == "seed") seeds.push_back(c.genome);
    }
    return seeds;
  };
  using Texts = std::vector<std::string>;
  const Texts named = {"11111-91111-11111-91111", "51111-91111-51111-91111",
                       "71111-91111-71111-91111"};
  CHECK(initial("named") == named);
  for (const std::string& algorithm : SearchAlgorithm::names()) {
    settings.algorithm = algorithm;
    CHECK(initial(algorithm) == named);
  }
  settings.population = 2;
  CHECK(initial("few") == Texts(named.begin(), named.begin() + 2));
  settings.start = {"@conv:3"};
  CHECK(initial("given") == Texts{"71111-91111-71111"});
  settings.start = {kNoStart};
  CHECK(initial("none").empty());
  settings.start = {kNoStart, "@conv:3"};
  CHECK_THROWS_WITH_AS(initial("both"), "search: --start none is for no other genome beside it",
                       Error);
}

}  // namespace star::synthesis
