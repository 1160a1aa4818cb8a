#include "star/workers.h"

#include "core/error.h"

namespace star::synthesis {

LocalWorkers::LocalWorkers(int count, const Limits& limits, Answer answer, int together)
    : count_(count),
      limits_(limits),
      serve_([answer](auto& text) { return answer(request_of(text)); }),
      together_(together),
      pool_(limits, serve_, together) {
  require(count >= 1, "{} workers; at least 1 is needed", count);
}

void LocalWorkers::start(int job, const Request& request) {
  require(running() < count_, "all {} workers are busy", count_);
  pool_.start(job, to_text(request));
}

WorkerPool::Finished LocalWorkers::wait(const Interrupt& interrupted) {
  return pool_.wait(interrupted);
}

std::optional<Outcome> LocalWorkers::alone(const Request& request, const Interrupt& interrupted) {
  if (!single_) single_.emplace(limits_, serve_, together_ > 0 ? 1 : 0);
  pool_.pause();
  single_->start(0, to_text(request));
  WorkerPool::Finished finished = single_->wait(interrupted);
  pool_.resume();
  if (finished.job >= 0) return finished.outcome;
  single_.reset();  // which kills what was not waited for
  return std::nullopt;
}

}  // namespace star::synthesis
