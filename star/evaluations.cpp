#include "star/evaluations.h"

#include <algorithm>

namespace star::synthesis {

Evaluations::Evaluations(const SearchSettings& settings, const RunFile& file, Workers& workers,
                         std::function<void(const Evaluation&)> record, Interrupt interrupted,
                         bool retry)
    : settings_(settings),
      file_(file),
      workers_(workers),
      record_(std::move(record)),
      interrupted_(std::move(interrupted)),
      retry_(retry) {}

const Evaluation* Evaluations::find(const std::string& genome, const Recipe& recipe) const {
  const auto known = known_.find({genome, recipe});
  return known == known_.end() ? nullptr : &known->second;
}

const Evaluation* Evaluations::ask(const Asked& asked) {
  auto stored = file_.evaluation(asked.genome, asked.recipe);
  if (stored && (stored->ok() || !retry_))
    return &(known_[{asked.genome, asked.recipe}] = std::move(*stored));
  queue_.push_back({jobs_++, asked});
  return nullptr;
}

void Evaluations::order_queue(bool dearest_first) {
  std::stable_sort(queue_.begin(), queue_.end(), [&](const Job& a, const Job& b) {
    return dearest_first ? a.asked.cost > b.asked.cost : a.asked.individual < b.asked.individual;
  });
}

Evaluations::Ended Evaluations::step() {
  while (!queue_.empty() && workers_.running() < workers_.count()) {
    const Job job = queue_.front();
    queue_.pop_front();
    running_[job.number] = job.asked;
    workers_.start(job.number,
                   {.genome = job.asked.genome, .recipe = job.asked.recipe, .states = states_});
  }
  const WorkerPool::Finished finished = workers_.wait(interrupted_);
  if (finished.job < 0) return {-1, nullptr};
  const Asked asked = std::move(running_.extract(finished.job).mapped());
  Evaluation e = evaluation_of(finished.outcome);
  e.genome = asked.genome;
  e.recipe = asked.recipe;
  busy_seconds_ += e.seconds;
  const bool whole = !candidate_trial(settings_, e.genome, e.recipe).until;
  if (e.ok() && whole && !measure(e)) return {-1, nullptr};
  record_(e);
  return {asked.individual, &(known_[{e.genome, e.recipe}] = std::move(e))};
}

// Adds what is measured, if anything is. False: interrupted.
bool Evaluations::measure(Evaluation& evaluation) {
  if (measured_objectives(settings_).empty()) return true;
  auto outcome = workers_.alone({.measure = true, .genome = evaluation.genome}, interrupted_);
  if (!outcome) return false;
  Evaluation measured = evaluation_of(*outcome);
  evaluation.seconds += measured.seconds;
  busy_seconds_ += measured.seconds;
  evaluation.metrics.merge(measured.metrics);
  if (!measured.ok())
    evaluation.failure = fmt::format("while it was measured: {}", measured.failure);
  return true;
}

}  // namespace star::synthesis
