// A model's loss on a batch, and its gradient. A device that keeps graphs records the forward and
// the backward pass of the second batch and runs the recording for all batches of its shape.
#pragma once

#include <memory>
#include <optional>

#include "core/graph.h"
#include "liv/backbone.h"
#include "star/data.h"
#include "star/output_loss.h"

namespace star::synthesis {

Tensor tokens_of(Exec& exec, const Batch& batch);   // [sequences, length]
Tensor targets_of(Exec& exec, const Batch& batch);  // [sequences · length]

class TrainingStep {
 public:
  // Both outlive it.
  TrainingStep(Exec& exec, const Backbone& model, Math math = Math::fp32);

  // Overwrites model.flat_grads(); returns the loss. Tokens and targets are within the vocabulary.
  // In `parts` parts, of whole sequences and one after the other, it takes their memory, and comes
  // to the same but for rounding. There are no more parts than sequences.
  double run(const Batch& batch, int parts = 1);

  // The most memory that was ever in use, here and in `exec`; and how often more was asked for.
  int64_t peak_bytes() const;
  int64_t system_allocations() const;

 private:
  // Forward and backward as graphs.
  struct Recorded {
    Recorded(Exec& exec, const Backbone& model, const Batch& batch);
    Tape tape;
    Tensor tokens, slope;  // of `hidden`
    Var hidden;
    std::optional<Graph> forward, backward;
  };

  // Add to model.flat_grads(). `counted` targets are those of the whole batch.
  double add(const Batch& part, int64_t counted);
  void record(const Batch& part);
  // The losses of the rows. They are launched and not waited for.
  Tensor run_now(const Batch& part, int64_t counted);
  Tensor run_recorded(const Batch& part, int64_t counted);

  Exec& exec_;  // of the model
  const Math math_;
  // Where graphs are kept the memory of the passes is their own: what lies there between them is
  // nobody else's, not even of the loss. Passes that are not recorded take the same memory.
  std::optional<Exec> own_;
  Exec& work_;  // of the passes: own_, or exec_
  const Backbone& model_;
  Tape tape_;
  OutputLoss output_;
  bool recordable_;  // but for the first batch
  int64_t batches_ = 0;
  std::unique_ptr<Recorded> recorded_;
};

}  // namespace star::synthesis
