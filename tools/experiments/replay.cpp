#include "tools/experiments/replay.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "star/pareto.h"
#include "star/tasks.h"

namespace star::experiments {
namespace {

// Answers at once what a training would have come to.
class ModelWorkers : public Workers {
 public:
  ModelWorkers(const LossModel& model, const SearchSettings& settings)
      : model_(model), settings_(settings) {}

  int count() const override { return kTogether; }
  int running() const override { return int(jobs_.size()); }
  void start(int job, const Request& request) override { jobs_.push_back({job, request}); }

  WorkerPool::Finished wait(const Interrupt&) override {
    if (jobs_.empty()) return {};
    const auto [job, request] = jobs_.front();
    jobs_.pop_front();
    return {job, answer_to(request)};
  }

  std::optional<Outcome> alone(const Request&, const Interrupt&) override {
    fail("replay: what is measured cannot be replayed");
  }

  double steps() const { return steps_; }

 private:
  static constexpr int kTogether = 2;

  Outcome answer_to(const Request& request) {
    const Trial trial = candidate_trial(settings_, request.genome, request.recipe);
    const std::vector<double> losses = model_.losses(request.genome, trial.seed);
    Evaluation e;
    e.metrics = static_metrics(model_of(trial, nullptr), trial.cache_context);
    for (size_t r = 0; r < settings_.rungs.size(); ++r)
      if (trial.until == 0 || settings_.rungs[r] <= trial.until)
        e.metrics[rung_metric(settings_.rungs[r])] = losses[r];
    if (trial.until == 0) e.metrics["quality"] = losses.back();
    // What was trained to a rung goes on from there.
    const int64_t end = trial.until > 0 ? trial.until : settings_.training.steps;
    int64_t& done = trained_[request.genome + fmt::format(" {}", trial.seed)];
    steps_ += double(end - done);
    done = end;
    return {to_text(e), "", 0};
  }

  const LossModel& model_;
  const SearchSettings& settings_;
  std::deque<std::pair<int, Request>> jobs_;
  std::map<std::string, int64_t> trained_;
  double steps_ = 0;
};

// A run file for as long as it is needed, in memory where the system keeps files there.
class ShortLivedRun {
 public:
  explicit ShortLivedRun(const SearchSettings& settings)
      : folder_(made()),
        file(RunFile::create(folder_ + "/replay.run", settings_to_json(settings))) {}
  ~ShortLivedRun() { std::filesystem::remove_all(folder_); }
  ShortLivedRun(const ShortLivedRun&) = delete;
  ShortLivedRun& operator=(const ShortLivedRun&) = delete;

 private:
  static std::string made() {
    const std::filesystem::path memory = "/dev/shm";
    std::string name =
        (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
        "star-replay-XXXXXX";
    require(mkdtemp(name.data()) != nullptr, "replay: no folder can be made as {}", name);
    return name;
  }
  std::string folder_;

 public:
  RunFile file;
};

}  // namespace

std::vector<ReplayPoint> replay(const LossModel& model, const SearchSettings& settings) {
  // A search looks at the data that it is given before it begins.
  static const TaskData data(parse_task("recall"), 1);
  ShortLivedRun run(settings);
  run.file.claim();
  ModelWorkers workers(model, settings);
  Search search(settings, data);
  std::vector<double> steps;
  const SearchResult result = search.run(run.file, workers, [&](const SearchProgress& p) {
    while (steps.size() < size_t(p.generation)) steps.push_back(workers.steps());
  });
  const std::map<std::string, double> point = run.file.reference();
  std::vector<double> reference;
  for (auto& objective : settings.objectives) reference.push_back(point.at(objective.name()));
  const std::vector<Generation> generations = run.file.generations();
  std::map<std::string, std::map<std::string, double>> metrics;
  for (auto& e : run.file.evaluations())
    if (e.recipe.is_whole()) metrics[e.genome] = e.metrics;
  std::vector<ReplayPoint> points;
  for (size_t g = 0; g < generations.size(); ++g) {
    ReplayPoint p{steps[g], generations[g].hypervolume, 0, std::nan("")};
    std::vector<std::vector<double>> front;
    double least = std::numeric_limits<double>::infinity();
    for (auto& genome : generations[g].front) {
      std::map<std::string, double> expected = metrics.at(genome);
      const double seen = expected.at("quality");
      expected["quality"] = model.expected(genome).back();
      front.emplace_back();
      for (auto& objective : settings.objectives)
        front.back().push_back(expected.at(objective.name()));
      if (seen < least) least = seen, p.best = expected["quality"];
    }
    p.truth = front.empty() ? 0 : hypervolume(front, reference);
    points.push_back(p);
  }
  return points;
}

double truth_at(const std::vector<ReplayPoint>& points, double steps) {
  ReplayPoint before;
  for (const ReplayPoint& p : points) {
    if (p.steps >= steps)
      return before.truth + (p.truth - before.truth) * (steps - before.steps) /
                                std::max(p.steps - before.steps, 1.0);
    before = p;
  }
  return before.truth;
}

double steps_to(const std::vector<ReplayPoint>& points, double truth) {
  ReplayPoint before;
  for (const ReplayPoint& p : points) {
    if (p.truth >= truth && p.truth > before.truth)
      return before.steps +
             (p.steps - before.steps) * (truth - before.truth) / (p.truth - before.truth);
    before = p;
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace star::experiments
