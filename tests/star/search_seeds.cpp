// The search with second seeds (star/seeds.h).
#include "star/statistics.h"
#include "tests/star/instant_search.h"

namespace star {

TEST_CASE("search: with second seeds the front is of means, whatever the workers") {
  TemporaryFolder folder;
  int run_number = 0, fallen = 0;
  for (bool rungs : {false, true})
    for (int lag : {kByGenerations, 0, 3}) {
      const SearchSettings settings = with_seeds(lag, rungs);
      run_on_some_workers(
          settings, folder, run_number, [&](const Run& now, const std::string& path) {
            const RunContents contents = open_run_file(path).contents;
            // By hand: the mean of all that the file has, and what it leaves undominated.
            std::map<std::string, std::vector<double>> qualities;
            std::map<std::string, double> params;
            std::set<std::string> failed;
            for (auto& e : contents.evaluations) {
              if (!e.ok()) failed.insert(e.genome);
              if (!e.ok() || e.recipe.stops_at_rung()) continue;
              qualities[e.genome].push_back(e.metrics.at("quality"));
              params[e.genome] = e.metrics.at("params");
            }
            std::map<std::string, Fitness> means;
            for (auto& [genome, all] : qualities)
              if (!failed.count(genome)) means[genome] = {{spread_of(all).mean, params.at(genome)}};
            std::set<std::string> front, stored;
            for (auto& [genome, fitness] : means)
              if (std::none_of(means.begin(), means.end(),
                               [&](auto& other) { return dominates(other.second, fitness); }))
                front.insert(genome);
            stored.insert(contents.generations.back().front.begin(),
                          contents.generations.back().front.end());
            CHECK(stored == front);
            CHECK(now.result.front.size() == front.size());
            for (auto& member : now.result.front) {
              const Spread spread = spread_of(qualities.at(member.genome));
              CHECK(member.seeds == 4);
              CHECK(qualities.at(member.genome).size() == 4);
              CHECK(member.objectives.at("quality") == doctest::Approx(spread.mean).epsilon(1e-12));
              CHECK(member.deviation.at("quality") ==
                    doctest::Approx(spread.deviation).epsilon(1e-9));
              CHECK(member.deviation.at("params") == 0);
            }
            CHECK(now.result.failed == int64_t(failed.size()));
            CHECK(contents.generations.back().failed == int64_t(failed.size()));
            for (auto& [genome, all] : qualities) fallen += all.size() > 1 && !front.count(genome);
            // Only the last one, which is of more seeds, may have less than the one before.
            const auto& volume = now.result.hypervolume;
            for (size_t g = 1; g + 1 < volume.size(); ++g) CHECK(volume[g] >= volume[g - 1]);
          });
    }
  CHECK(fallen > 0);
}

TEST_CASE("search: second seeds come to the same end from every moment") {
  TemporaryFolder folder;
  for (int lag : {kByGenerations, 3}) {
    const SearchSettings settings = with_seeds(lag, true);
    InstantWorkers one(1, 1);
    const Run whole = run(settings, one, folder.file(fmt::format("whole{}", lag)));
    for (int patience : {1, 4}) {
      const std::string path = folder.file(fmt::format("{}-{}", lag, patience));
      const Run now = run_in_pieces(settings, path, patience, [&](const Run&) {
                        check_run(RunFile::open(path).contents(), settings, path);
                      }).end;
      CHECK(now.contents == whole.contents);
      InstantWorkers idle(2, 0);
      const Run again = run(settings, idle, path);
      CHECK(again.contents == whole.contents);
      CHECK(idle.asked.empty());
      const auto read = last_front(settings, RunFile::open(path).contents());
      REQUIRE(read.size() == again.result.front.size());
      for (size_t i = 0; i < read.size(); ++i) {
        CHECK(read[i].genome == again.result.front[i].genome);
        CHECK(read[i].objectives == again.result.front[i].objectives);
      }
      InstantWorkers calm(2, 5), retried(2, 6);
      calm.forgiving = retried.forgiving = true;
      CHECK(run(settings, retried, path, {}, true).result.failed == 0);
      run(settings, calm, path + "-calm");
      CHECK(story(RunFile::open(path)) == story(RunFile::open(path + "-calm")));
    }
  }
}

TEST_CASE("search: what stays in the front is measured again") {
  TemporaryFolder folder;
  SearchSettings settings = with_seeds(kByGenerations, false);
  settings.objectives = {"quality", "latency"};
  InstantWorkers workers(2, 4);
  const Run now = run(settings, workers, folder.file("a.run"));
  for (auto& member : now.result.front) {
    std::vector<double> latencies;
    for (auto& e : RunFile::open(folder.file("a.run")).evaluations())
      if (e.genome == member.genome) latencies.push_back(e.metrics.at("latency"));
    CHECK(latencies.size() == 4);
    CHECK(std::set<double>(latencies.begin(), latencies.end()).size() == 4);
    CHECK(member.objectives.at("latency") ==
          doctest::Approx(spread_of(latencies).mean).epsilon(1e-12));
  }
}

}  // namespace star
