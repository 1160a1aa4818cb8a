#include "star/training_step.h"

#include "autograd/rows.h"

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
  Var logits = model_.forward(tape_, tokens_of(exec_, batch));
  Var loss = cross_entropy(logits, targets_of(exec_, batch));
  double value = loss.value().item();
  logits = Var();
  if (loss.needs_grad()) tape_.backward(loss);
  tape_.clear();
  return value;
}

TrainingStep::Recorded::Recorded(const Backend& backend, const Backbone& model, const Batch& batch)
    : exec(backend), tape(exec), tokens(tokens_of(exec, batch)) {
  forward.emplace(exec, [&] { logits = model.forward(tape, tokens); });
  slope = exec.empty(logits.shape(), logits.dtype());
  backward.emplace(exec, [&] { tape.backward(logits, slope); });
}

// The loss itself is not recorded: its weight depends on how many targets count.
double TrainingStep::run_recorded(const Batch& batch) {
  recorded_->tokens.assign(batch.tokens);
  recorded_->forward->run();
  Var logits = tape_.leaf(recorded_->logits.value());
  Var loss = cross_entropy(logits, targets_of(exec_, batch));
  double value = loss.value().item();
  tape_.backward(loss);
  exec_.copy(tape_.grad(logits), recorded_->slope);
  tape_.clear();
  recorded_->backward->run();
  return value;
}

int64_t TrainingStep::peak_bytes() const {
  return int64_t(exec_.arena().peak_bytes() +
                 (recorded_ ? recorded_->exec.arena().peak_bytes() : 0));
}

}  // namespace star::synthesis
