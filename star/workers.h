// Where the candidates of a search are worked on: worker processes that answer requests, here
// (LocalWorkers) or on several machines (tools/mpi).
#pragma once

#include <memory>
#include <optional>

#include "star/executor.h"
#include "star/request.h"

namespace star::synthesis {

// What a worker process answers to a request. It is called in that process.
using Answer = std::function<std::string(const Request& request)>;
using Interrupt = std::function<bool()>;  // true: stop waiting

// Not for several threads at once.
class Workers {
 public:
  virtual ~Workers() = default;

  virtual int count() const = 0;    // requests at a time
  virtual int running() const = 0;  // requests now

  // Starts on a request; one more than `count` is an Error.
  virtual void start(int job, const Request& request) = 0;

  // As WorkerPool::wait.
  virtual WorkerPool::Finished wait(const Interrupt& interrupted) = 0;

  // Answers one request on this machine while all others stand still. Nothing: interrupted.
  virtual std::optional<Outcome> alone(const Request& request, const Interrupt& interrupted) = 0;
};

class LocalWorkers : public Workers {
 public:
  // `together` as of WorkerPool.
  LocalWorkers(int count, const Limits& limits, Answer answer, int together = 0);
  int count() const override { return count_; }
  int running() const override { return pool_.running(); }
  void start(int job, const Request& request) override;
  WorkerPool::Finished wait(const Interrupt& interrupted) override;
  std::optional<Outcome> alone(const Request& request, const Interrupt& interrupted) override;

 private:
  int count_;
  Limits limits_;
  Serve serve_;
  int together_;
  WorkerPool pool_;
  std::optional<WorkerPool> single_;  // of one alone, once there was one
};

}  // namespace star::synthesis
