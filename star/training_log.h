// A training step by step, as JSON lines, to be drawn or watched while it goes on (`tail -f`):
//
//   {"step":1,"loss":5.5452,"rate":0.0001,"norm":1.25,"tokens_per_s":51200.0}
//
// Loss in nats a counted target, the learning rate, the gradient's norm before it was clipped.
#pragma once

#include <string>

#include "star/trainer.h"

namespace star::synthesis {

class TrainingLog {
 public:
  // Begins the file anew, or where `done` steps are done goes on with it: lines of later steps,
  // which a killed training had done and will do again, are taken off. Throws `Error` where the
  // file cannot be written, or what is to be gone on with is no such log.
  TrainingLog(const std::string& path, int64_t done);
  ~TrainingLog();
  TrainingLog(const TrainingLog&) = delete;
  TrainingLog& operator=(const TrainingLog&) = delete;

  // A line, written at once. After one that could not be written there are no more.
  void add(const StepReport& step);
  // Why that was; empty: nothing is missing.
  const std::string& failure() const { return failure_; }

 private:
  std::string path_, failure_;
  int descriptor_ = -1;
};

}  // namespace star::synthesis
