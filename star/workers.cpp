#include "star/workers.h"

#include "core/error.h"

namespace star::synthesis {

LocalWorkers::LocalWorkers(int count, const Limits& limits, Answer answer)
    : count_(count), limits_(limits), answer_(std::move(answer)), pool_(limits) {
  require(count >= 1, "{} workers; at least 1 is needed", count);
}

void LocalWorkers::start(int job, const Request& request) {
  require(running() < count_, "all {} workers are busy", count_);
  pool_.start(job, [this, request] { return answer_(request); });
}

WorkerPool::Finished LocalWorkers::wait(const Interrupt& interrupted) {
  return pool_.wait(interrupted);
}

std::optional<Outcome> LocalWorkers::alone(const Request& request, const Interrupt& interrupted) {
  WorkerPool single(limits_);
  pool_.pause();
  single.start(0, [&] { return answer_(request); });
  WorkerPool::Finished finished = single.wait(interrupted);
  pool_.resume();
  if (finished.job < 0) return std::nullopt;
  return finished.outcome;
}

}  // namespace star::synthesis
