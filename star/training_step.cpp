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

TrainingStep::TrainingStep(Exec& exec, const Backbone& model, Math math)
    : exec_(exec),
      math_(math),
      work_(exec.backend().graphs ? own_.emplace(exec.backend()) : exec),
      model_(model),
      tape_(work_),
      output_(exec, model),
      recordable_(exec.backend().graphs) {}

double TrainingStep::run(const Batch& batch, int parts) {
  const MathScope of_loss(exec_, math_), of_passes(work_, math_);
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
  const bool first = batches_++ == 0;
  if (recordable_ && !first && !recorded_) record(part);
  const bool fits = recorded_ && recorded_->tokens.shape() == Shape{part.sequences, part.length};
  // Read when all of the step is on its way: until then nothing waits for the device.
  return OutputLoss::mean(fits ? run_recorded(part, counted) : run_now(part, counted), counted);
}

// What is recorded keeps its memory from step to step. Where there is too little for that, steps are
// computed as they come.
void TrainingStep::record(const Batch& part) {
  try {
    recorded_ = std::make_unique<Recorded>(work_, model_, part);
  } catch (const std::bad_alloc&) {
    recordable_ = false;
  }
}

Tensor TrainingStep::run_now(const Batch& batch, int64_t counted) {
  const Var hidden = model_.hidden(tape_, tokens_of(work_, batch));
  Tensor slope;
  const Tensor losses =
      output_.differentiate(hidden.value(), targets_of(exec_, batch), counted, slope);
  tape_.backward(hidden, slope);
  tape_.clear();
  return losses;
}

TrainingStep::Recorded::Recorded(Exec& exec, const Backbone& model, const Batch& batch)
    : tape(exec), tokens(tokens_of(exec, batch)) {
  forward.emplace(exec, [&] { hidden = model.hidden(tape, tokens); });
  slope = exec.empty(hidden.shape(), hidden.dtype());
  backward.emplace(exec, [&] { tape.backward(hidden, slope); });
}

// The loss itself is not recorded: its weight depends on how many targets count.
Tensor TrainingStep::run_recorded(const Batch& batch, int64_t counted) {
  recorded_->tokens.assign(batch.tokens);
  recorded_->forward->run();
  Tensor slope;
  const Tensor losses =
      output_.differentiate(recorded_->hidden.value(), targets_of(exec_, batch), counted, slope);
  work_.copy(slope, recorded_->slope);
  recorded_->backward->run();
  return losses;
}

int64_t TrainingStep::peak_bytes() const {
  return int64_t(exec_.arena().peak_bytes() + (own_ ? work_.arena().peak_bytes() : 0));
}

int64_t TrainingStep::system_allocations() const {
  return exec_.arena().system_allocations() + (own_ ? work_.arena().system_allocations() : 0);
}

}  // namespace star::synthesis
