// replay: compares ways to search on a model of recorded trainings (tools/experiments/README.md).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/blas_memory.h"
#include "core/error.h"
#include "star/statistics.h"
#include "tools/experiments/replay.h"

namespace star::experiments {
namespace {

// Settings by the names that a run file keeps them under: "algorithm=random generations=20".
SearchSettings settings_of(const std::string& text, uint64_t seed) {
  SearchSettings usual;
  usual.task = "recall";
  nlohmann::json json = nlohmann::json::parse(settings_to_json(usual));
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    require(equals != word.npos && json.contains(name), "replay: {} sets nothing", word);
    nlohmann::json value = nlohmann::json::parse(word.substr(equals + 1), nullptr, false);
    json[name] = value.is_discarded() ? nlohmann::json(word.substr(equals + 1)) : value;
  }
  json["seed"] = json["training_seed"] = seed;
  return settings_from_json(json.dump());
}

struct Way {
  std::string text;
  std::vector<std::vector<ReplayPoint>> runs;  // a seed
};

std::vector<double> of_runs(const Way& way,
                            const std::function<double(const std::vector<ReplayPoint>&)>& f) {
  std::vector<double> values;
  for (auto& run : way.runs) values.push_back(f(run));
  return values;
}

double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x[x.size() / 2];
}

// Each way against the first: what it has found by the steps that the first one takes in all, and
// how many steps it takes to what the first one has found by then.
void print(const std::vector<Way>& ways) {
  const auto end = [](auto& run) { return run.back(); };
  const double budget = spread_of(of_runs(ways[0], [&](auto& r) { return end(r).steps; })).mean;
  const auto found = [&](const Way& w) {
    return of_runs(w, [&](auto& r) { return truth_at(r, budget); });
  };
  const std::vector<double> first = found(ways[0]);
  const double goal = spread_of(first).mean;
  fmt::print("{:>9} {:>9} {:>17} {:>8} {:>9} {:>7} {:>8}  {}\n", "steps", "best", "hypervolume",
             "seen", "to reach", "times", "p", "settings");
  for (const Way& way : ways) {
    const std::vector<double> now = found(way);
    const Spread spread = spread_of(now);
    const double needed = &way == &ways[0]
                              ? budget
                              : median(of_runs(way, [&](auto& r) { return steps_to(r, goal); }));
    fmt::print("{:>9.0f} {:>9.4f} {:>8.4f} ± {:>6.4f} {:>8.4f} {:>9.0f} {:>7.2f} {:>8.2g}  {}\n",
               spread_of(of_runs(way, [&](auto& r) { return end(r).steps; })).mean,
               spread_of(of_runs(way, [&](auto& r) { return end(r).best; })).mean, spread.mean,
               spread.deviation,
               spread_of(of_runs(way, [&](auto& r) { return end(r).hypervolume; })).mean, needed,
               budget / needed, rank_sum(now, first), way.text);
  }
}

void run(const std::string& table, const std::vector<std::string>& texts, int seeds) {
  const SearchSettings usual;
  const Recordings recordings = read_recordings(table);
  std::map<std::vector<int64_t>, LossModel> models;  // by the rungs
  std::vector<Way> ways;
  for (auto& text : texts) {
    const std::vector<int64_t> rungs = settings_of(text, 0).rungs;
    const auto [at, is_new] = models.try_emplace(rungs, recordings, rungs, usual.sizes);
    const LossModel& model = at->second;
    for (size_t i = 0; is_new && i < model.fit().size(); ++i) {
      const auto& f = model.fit()[i];
      fmt::print("{}: tau {:.2f} of what was left out, residual {:.3f}, of seeds {:.3f}\n",
                 i < rungs.size() ? fmt::format("loss at step {}", rungs[i]) : "quality", f.tau,
                 f.residual, f.noise);
    }
    ways.push_back({text, {}});
    for (int seed = 0; seed < seeds; ++seed)
      ways.back().runs.push_back(replay(model, settings_of(text, uint64_t(seed))));
  }
  fmt::print("\n");
  print(ways);
}

}  // namespace
}  // namespace star::experiments

int main(int argc, char** argv) {
  CLI::App app(
      "Replays searches on a model of recorded trainings: each way to search, its settings in "
      "quotes, against the first");
  std::string table;
  std::vector<std::string> ways;
  int seeds = 10;
  app.add_option("table", table, "What record.py has written")->required();
  app.add_option("ways", ways,
                 "Settings by the names of a run file: 'algorithm=random generations=20'")
      ->required();
  app.add_option("--seeds", seeds, "Searches of each")
      ->check(CLI::Range(2, 10000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    star::reserve_blas_memory(1);
    star::experiments::run(table, ways, seeds);
  } catch (const star::Error& e) {
    fmt::print(stderr, "replay: {}\n", e.what());
    return 2;
  }
  return 0;
}
