// The search with workers that train nothing: they answer at once, in any order.
#include "star/search.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "star/compiler.h"
#include "star/statistics.h"
#include "star/tasks.h"
#include "tests/temporary.h"

namespace star {
namespace {

SearchSettings small_settings() {
  SearchSettings s;
  s.seed = 7;
  s.population = 6;
  s.generations = 4;
  s.min_depth = 2;
  s.max_depth = 4;
  s.task = "recall";
  s.sizes = {16, 2, 8, 8, 4};
  return s;
}

const Dataset& small_data() {
  static const TaskData data(parse_task("recall:V=8,L=8"), 1);
  return data;
}

class InstantWorkers : public Workers {
 public:
  // `answers`: after so many it wants to stop; −1: never.
  InstantWorkers(int count, uint64_t seed, int answers = -1)
      : count_(count), left_(answers), rng_(seed, "test.workers") {}
  bool tired() const { return tired_; }
  int count() const override { return count_; }
  int running() const override { return int(jobs_.size()); }

  void start(int job, const Request& request) override {
    REQUIRE(running() < count_);
    CHECK(asked.insert(to_text(request)).second);
    jobs_.push_back({job, request});
    most_ahead = std::max(most_ahead, job - last_in_order_);
  }

  WorkerPool::Finished wait(const Interrupt& interrupted) override {
    tired_ |= left_-- == 0;
    if ((interrupted && interrupted()) || jobs_.empty()) return {};
    const auto one = jobs_.begin() + rng_.below(uint32_t(jobs_.size()));
    const auto [job, request] = *one;
    jobs_.erase(one);
    done_.insert(job);
    while (done_.count(last_in_order_)) ++last_in_order_;
    return {job, answer_to(request)};
  }

  std::optional<Outcome> alone(const Request& request, const Interrupt&) override {
    ++measured;
    const double x = double(request.genome.size()) + ++noise;
    Evaluation e;
    e.metrics = {{"latency", x}, {"memory", x}, {"latency:spread", 1}};
    return Outcome{to_text(e), "", 1};
  }

  bool forgiving = false;  // nothing fails
  std::set<std::string> asked;
  int measured = 0, most_ahead = 0;
  double noise = 0;

 private:
  // A loss that depends on the genome, and at a rung foretells the end; some fail, half of them at
  // a rung.
  Outcome answer_to(const Request& request) const {
    const Trial trial = candidate_trial(small_settings(), request.genome, request.recipe);
    const uint64_t hash = hash_text("train " + request.genome);
    const bool fails = hash % 5 == 0 && (trial.until == 0 || hash / 7 % 2 == 0);
    if (fails && !forgiving) return {"", "time limit", 1};
    Evaluation e;
    const double quality = 1 + double(hash % 1000) / 1000;
    e.metrics = {{"params", double(hash / 1000 % 1000)}, {"cache", double(request.genome.size())}};
    for (int64_t rung : {10, 20, 30})
      if (trial.until == 0 || rung <= trial.until)
        e.metrics[rung_metric(rung)] = quality + double(hash / 7 % 1000) / double(100 * rung);
    if (trial.until == 0) e.metrics["quality"] = quality;
    // From another seed some fail and most are worse: who has entered a front has been lucky.
    const uint64_t luck = hash_text(request.genome + request.recipe.text());
    if (request.recipe.is_of_another_seed()) {
      if (luck % 11 == 0 && !forgiving) return {"", "diverged at step 3", 1};
      e.metrics["quality"] += double(luck % 500) / 1000;
    }
    e.curve = {{1, std::nan("")}};
    return {to_text(e), "", double(hash % 3)};
  }

  int count_, left_;
  bool tired_ = false;
  Rng rng_;
  std::vector<std::pair<int, Request>> jobs_;
  std::set<int> done_;
  int last_in_order_ = 0;  // the first individual that is not done
};

// What was bred and kept.
std::string story(const RunFile& file) {
  std::string text;
  for (auto& c : file.candidates())
    text += fmt::format("{} {} {} {} {}\n", c.generation, c.place, c.genome, c.origin,
                        fmt::join(c.parents, " "));
  for (auto& g : file.generations())
    text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", g.generation, g.hypervolume, g.scaled,
                        g.evaluated, g.failed, fmt::join(g.stopped, " "), g.promoted, g.rung_tau,
                        fmt::join(g.population, " "), fmt::join(g.front, " "));
  return text;
}

// All that a run file holds, times aside.
std::string contents(const RunFile& file) {
  std::string text = story(file);
  std::map<std::string, std::string> evaluations;
  for (auto& e : file.evaluations()) {
    std::string& line = evaluations[e.genome + " " + e.recipe.text()];
    line = e.failure;
    for (auto& [name, value] : e.metrics) line += fmt::format(" {}={}", name, value);
  }
  for (auto& [genome, line] : evaluations) text += genome + line + "\n";
  return text;
}

struct Run {
  SearchResult result;
  std::string contents;
};

Run run(const SearchSettings& settings, Workers& workers, const std::string& path,
        const Interrupt& interrupted = {}, bool retry = false) {
  const bool begun = std::filesystem::exists(path);
  RunFile file = begun ? RunFile::open(path) : RunFile::create(path, settings_to_json(settings));
  Search search(settings, small_data());
  SearchResult result = search.run(file, workers, {}, interrupted, retry);
  return {result, contents(file)};
}

// Stopped after so many answers and gone on with until it is done; `look` sees every stop.
struct Pieces {
  Run end;
  int starts = 0;
};
Pieces run_in_pieces(const SearchSettings& settings, const std::string& path, int patience,
                     const std::function<void(const Run&)>& look = {}) {
  Pieces p;
  do {
    InstantWorkers two(2, uint64_t(p.starts++), patience);
    p.end = run(settings, two, path, [&] { return two.tired(); });
    CHECK(int(two.asked.size()) <= patience + 2);
    if (look) look(p.end);
  } while (p.end.result.interrupted);
  return p;
}

}  // namespace

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

namespace {

// Generations of 14, of which 7 pass the first rung and 3 or 4 the second.
SearchSettings with_rungs(int lag) {
  SearchSettings settings = small_settings();
  settings.population = 4;
  settings.rungs = {10, 30};
  settings.keep = 0.55;
  settings.lag = lag;
  return settings;
}

}  // namespace

TEST_CASE("search: rungs depend neither on the number of workers nor on their order") {
  TemporaryFolder folder;
  std::set<std::string> different;
  int run_number = 0;
  for (const char* algorithm : {"nsga2", "genetic", "random", "regularized"})
    for (int lag : {kByGenerations, 0, 3}) {
      SearchSettings settings = with_rungs(lag);
      settings.algorithm = algorithm;
      settings.objectives = {"quality", "params"};
      const int64_t bred = cohort_sizes(settings).front() * settings.generations;
      std::string expected;
      for (int workers : {1, 3, 9}) {
        InstantWorkers some(workers, uint64_t(++run_number));
        const std::string path = folder.file(fmt::format("{}.run", run_number));
        const Run now = run(settings, some, path);
        CHECK(now.result.generations == 4);
        CHECK(now.result.evaluated + now.result.stopped == bred);
        CHECK(now.result.stopped > bred / 3);
        CHECK(now.result.failed > 0);
        if (expected.empty()) expected = now.contents;
        CHECK(now.contents == expected);
        open_run_file(path);  // makes sense
        CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == run_number);
      }
      different.insert(expected);
    }
  CHECK(different.size() == 11);  // random genomes do not depend on the lag
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
  const std::vector<int64_t> sizes = cohort_sizes(settings);
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

namespace {

SearchSettings with_seeds(int lag, bool rungs) {
  SearchSettings settings = rungs ? with_rungs(lag) : small_settings();
  settings.lag = lag;
  settings.reseed = 1;
  return settings;
}

}  // namespace

TEST_CASE("search: with second seeds the front is of means, whatever the workers") {
  TemporaryFolder folder;
  int run_number = 0, fallen = 0;
  for (bool rungs : {false, true})
    for (int lag : {kByGenerations, 0, 3}) {
      const SearchSettings settings = with_seeds(lag, rungs);
      std::string expected;
      for (int workers : {1, 3, 9}) {
        InstantWorkers some(workers, uint64_t(++run_number));
        const std::string path = folder.file(fmt::format("{}.run", run_number));
        const Run now = run(settings, some, path);
        if (expected.empty()) expected = now.contents;
        CHECK(now.contents == expected);
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
          CHECK(member.deviation.at("quality") == doctest::Approx(spread.deviation).epsilon(1e-9));
          CHECK(member.deviation.at("params") == 0);
        }
        CHECK(now.result.failed == int64_t(failed.size()));
        CHECK(contents.generations.back().failed == int64_t(failed.size()));
        for (auto& [genome, all] : qualities) fallen += all.size() > 1 && !front.count(genome);
        // Only the last one, which is of more seeds, may have less than the one before.
        const auto& volume = now.result.hypervolume;
        for (size_t g = 1; g + 1 < volume.size(); ++g) CHECK(volume[g] >= volume[g - 1]);
      }
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

TEST_CASE("search: a model screens, whatever the workers and wherever it was stopped") {
  TemporaryFolder folder;
  std::set<std::string> different;
  int run_number = 0;
  for (bool rungs : {false, true})
    for (int lag : {kByGenerations, 3}) {
      SearchSettings settings = with_seeds(lag, rungs);
      settings.population = rungs ? 8 : 14;
      settings.generations = 5;
      for (int screen : {0, 3}) {
        settings.screen = screen;
        std::string expected;
        for (int workers : {1, 3, 9}) {
          InstantWorkers some(workers, uint64_t(++run_number));
          const std::string path = folder.file(fmt::format("{}.run", run_number));
          const Run now = run(settings, some, path);
          if (expected.empty()) expected = now.contents;
          CHECK(now.contents == expected);
          CHECK(now.result.evaluated + now.result.stopped ==
                cohort_sizes(settings).front() * settings.generations);
          open_run_file(path);
          CHECK(std::isnan(now.result.history[0].model_tau));
          CHECK(std::isnan(now.result.history[4].model_tau) == (screen == 0));
        }
        different.insert(expected);
        const std::string path = folder.file(fmt::format("stopped{}.run", run_number));
        CHECK(run_in_pieces(settings, path, 9).end.contents == expected);
      }
    }
  CHECK(different.size() == 8);
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

TEST_CASE("search: where the backbone does not evolve, random genomes are mutants of the seeds") {
  SearchSettings settings = small_settings();
  settings.evolve = {"operator"};
  const auto backbones = [&] {
    std::set<std::string> all;
    for (const Genome& genome : random_genomes(settings, 60)) {
      const std::string text = to_text(genome);
      CHECK(text.find('|') != text.npos);
      all.insert(text.substr(0, text.find('|')));
    }
    return all;
  };
  CHECK(backbones() == std::set<std::string>{"11111-91111-11111-91111", "51111-91111-51111-91111",
                                             "71111-91111-71111-91111"});
  settings.start = {"@mamba:2"};
  CHECK(backbones() == std::set<std::string>{"51111-91111"});
  settings.start = {kNoStart};
  CHECK(backbones().size() > 30);
}

TEST_CASE("search: the command that makes a run again") {
  SearchSettings settings;
  settings.task = "source";
  CHECK(reproducing_command(settings, "a.run") == "star search --seq 128");
  settings.task = "mqar:D=8,L=64";
  settings.seed = settings.training.seed = 3;
  settings.lag = 0;
  settings.min_depth = 4;
  settings.start = {"11111-91111|1:12133"};
  settings.objectives = {"latency:decode@64", "quality"};
  settings.bounds = {{"params", 1e6}};
  settings.hv_reference = {{"quality", 2.5}};
  settings.training.learning_rate = 0.003;
  settings.pool = "class …";
  CHECK(reproducing_command(settings, "it's a.run", "./star") ==
        "./star search --task mqar:D=8,L=64 --pool 'it'\\''s a.run' --seed 3 --lag 0 --depth 4-8 "
        "--start '11111-91111|1:12133' --objectives latency:decode@64,quality --max params=1000000 "
        "--hv-ref quality=2.5 --seq 128 --lr 0.003");
  settings = {};
  settings.task = "source";
  settings.start = {kNoStart};
  CHECK(reproducing_command(settings, "a.run") == "star search --start none --seq 128");
  CHECK(shell_path("-x.run") == "./-x.run");
  CHECK(shell_path("--a b.run") == "'./--a b.run'");
  CHECK(shell_path("a/-x.run") == "a/-x.run");
}

}  // namespace star
