#include "star/training_step.h"

namespace star::synthesis {
namespace {

Batch some_of(const Batch& batch, int begin, int end) {
  auto rows = [](const std::vector<int32_t>& values, int from, int to, int row) {
    return std::vector<int32_t>(values.begin() + int64_t(from) * row,
                                values.begin() + int64_t(to) * row);
  };
  return {end - begin, batch.length, rows(batch.tokens, begin, end, batch.length),
          rows(batch.targets, begin, end, batch.length), rows(batch.parts, begin, end, 1)};
}

}  // namespace

Tensor tokens_of(Exec& exec, const Batch& b) {
  return exec.from({b.sequences, b.length}, b.tokens);
}
Tensor targets_of(Exec& exec, const Batch& b) {
  return exec.from({int64_t(b.targets.size())}, b.targets);
}

double TrainingStep::run(const Batch& batch, int parts) {
  exec_.fill(model_.flat_grads(), 0);
  const int64_t counted = counted_targets(batch);
  if (parts == 1) return add(batch, counted);
  double loss = 0;
  for (int part = 0; part < parts; ++part) {
    auto place = [&](int p) { return int(int64_t(batch.sequences) * p / parts); };
    loss += add(some_of(batch, place(part), place(part + 1)), counted);
  }
  return loss;
}

double TrainingStep::add(const Batch& part, int64_t counted) {
  // The first is computed at once: libraries make ready, which cannot be recorded.
  if (!exec_.backend().graphs || batches_++ == 0) return run_now(part, counted);
  if (!recorded_) recorded_ = std::make_unique<Recorded>(exec_.backend(), model_, part);
  bool fits = recorded_->tokens.shape() == Shape{part.sequences, part.length};
  return fits ? run_recorded(part, counted) : run_now(part, counted);
}

double TrainingStep::run_now(const Batch& batch, int64_t counted) {
  const Var hidden = model_.hidden(tape_, tokens_of(exec_, batch));
  Tensor slope;
  const double loss =
      output_.differentiate(hidden.value(), targets_of(exec_, batch), counted, slope);
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
double TrainingStep::run_recorded(const Batch& batch, int64_t counted) {
  recorded_->tokens.assign(batch.tokens);
  recorded_->forward->run();
  Tensor slope;
  const double loss =
      output_.differentiate(recorded_->hidden.value(), targets_of(exec_, batch), counted, slope);
  exec_.copy(slope, recorded_->slope);
  recorded_->backward->run();
  return loss;
}

int64_t TrainingStep::peak_bytes() const {
  return int64_t(exec_.arena().peak_bytes() +
                 (recorded_ ? recorded_->exec.arena().peak_bytes() : 0));
}

}  // namespace star::synthesis
