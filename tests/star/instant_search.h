// Searches with workers that train nothing: they answer at once, in any order.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "star/candidate.h"
#include "star/run_check.h"
#include "star/search.h"
#include "star/tasks.h"
#include "tests/temporary.h"

namespace star {

inline SearchSettings small_settings() {
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

inline const Dataset& small_data() {
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
inline std::string story(const RunFile& file) {
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
inline std::string contents(const RunFile& file) {
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

inline Run run(const SearchSettings& settings, Workers& workers, const std::string& path,
               const Interrupt& interrupted = {}, bool retry = false) {
  const bool begun = std::filesystem::exists(path);
  RunFile file = begun ? RunFile::open(path) : RunFile::create(path, settings_to_json(settings));
  Search search(settings, small_data());
  SearchResult result = search.run(file, workers, {}, interrupted, retry);
  return {result, contents(file)};
}

// The search on one worker and on more, which answer in any order: all leave the same behind, which
// is returned. `look` sees each, and its file.
inline std::string run_on_some_workers(
    const SearchSettings& settings, const TemporaryFolder& folder, int& run_number,
    const std::function<void(const Run&, const std::string&)>& look) {
  std::string expected;
  for (int workers : {1, 3, 9}) {
    InstantWorkers some(workers, uint64_t(++run_number));
    const std::string path = folder.file(fmt::format("{}.run", run_number));
    const Run now = run(settings, some, path);
    if (expected.empty()) expected = now.contents;
    CHECK(now.contents == expected);
    look(now, path);
  }
  return expected;
}

// Stopped after so many answers and gone on with until it is done; `look` sees every stop.
struct Pieces {
  Run end;
  int starts = 0;
};
inline Pieces run_in_pieces(const SearchSettings& settings, const std::string& path, int patience,
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

// Generations of 14, of which 7 pass the first rung and 3 or 4 the second.
inline SearchSettings with_rungs(int lag) {
  SearchSettings settings = small_settings();
  settings.population = 4;
  settings.rungs = {10, 30};
  settings.keep = 0.55;
  settings.lag = lag;
  return settings;
}

inline SearchSettings with_seeds(int lag, bool rungs) {
  SearchSettings settings = rungs ? with_rungs(lag) : small_settings();
  settings.lag = lag;
  settings.reseed = 1;
  return settings;
}

}  // namespace star
