#include "star/training_step.h"

namespace star::synthesis {

Tensor tokens_of(Exec& exec, const Batch& b) {
  return exec.from({b.sequences, b.length}, b.tokens);
}
Tensor targets_of(Exec& exec, const Batch& b) {
  return exec.from({int64_t(b.targets.size())}, b.targets);
}

double TrainingStep::run(const Batch& batch) {
  exec_.fill(model_.flat_grads(), 0);
  // The first batch is computed at once: libraries make ready, which cannot be recorded.
  if (!exec_.backend().graphs || batches_++ == 0) return run_now(batch);
  if (!recorded_) recorded_ = std::make_unique<Recorded>(exec_.backend(), model_, batch);
  bool fits = recorded_->tokens.shape() == Shape{batch.sequences, batch.length};
  return fits ? run_recorded(batch) : run_now(batch);
}

double TrainingStep::run_now(const Batch& batch) {
  const Var hidden = model_.hidden(tape_, tokens_of(exec_, batch));
  Tensor slope;
  const double loss = output_.differentiate(hidden.value(), targets_of(exec_, batch), slope);
  tape_.backward(hidden, slope);
  tape_.clear();
  return loss;
}

TrainingStep::Recorded::Recorded(const Backend& backend, const Backbone& model, const Batch& batch)
    : exec(backend), tape(exec), tokens(tokens_of(exec, batch)) {
  forward.emplace(exec, [&] { hidden = model.hidden(tape, tokens); });
  slope = exec.empty(hidden.shape(), hidden.dtype());
  backward.emplace(exec, [&] { tape.backward(hidden, slope); });
}

// The loss itself is not recorded: its weight depends on how many targets count.
double TrainingStep::run_recorded(const Batch& batch) {
  recorded_->tokens.assign(batch.tokens);
  recorded_->forward->run();
  Tensor slope;
  const double loss =
      output_.differentiate(recorded_->hidden.value(), targets_of(exec_, batch), slope);
  exec_.copy(slope, recorded_->slope);
  recorded_->backward->run();
  return loss;
}

int64_t TrainingStep::peak_bytes() const {
  return int64_t(exec_.arena().peak_bytes() +
                 (recorded_ ? recorded_->exec.arena().peak_bytes() : 0));
}

}  // namespace star::synthesis
