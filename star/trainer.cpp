#include "star/trainer.h"

#include <cmath>

#include "autograd/rows.h"
#include "core/clock.h"
#include "star/training_step.h"

namespace star {
namespace {

constexpr int64_t kCurvePoints = 100;

void check_vocab(const Backbone& model, const Dataset& data) {
  require(data.vocab() <= model.sizes().vocab, "the data has {} tokens, the model {}", data.vocab(),
          model.sizes().vocab);
}

}  // namespace

TrainResult train(Exec& exec, Backbone& model, const Dataset& data, const TrainOptions& options,
                  const StepCallback& after_step) {
  check_vocab(model, data);
  AdamW optimizer(exec, model.flat_values(), model.flat_grads(), model.decayed(),
                  options.optimizer);
  int64_t warmup = int64_t(std::llround(options.warmup * double(options.steps)));
  int64_t every = std::max<int64_t>(1, (options.steps + kCurvePoints - 1) / kCurvePoints);
  int64_t tail_begin = options.steps - std::max<int64_t>(1, options.steps / 10);
  TrainResult result;
  TrainingStep gradient(exec, model);
  double start = seconds_now(), tail = 0, since_point = 0;
  int64_t tail_steps = 0, points_since = 0;
  for (int64_t step = 0; step < options.steps; ++step) {
    Batch batch = data.train_batch(options.seed, step, options.batch);
    double value = gradient.run(batch);
    double norm =
        optimizer.step(scheduled_rate(options.learning_rate, step, options.steps, warmup));
    if (!std::isfinite(value) || !std::isfinite(norm)) {
      result.failure = fmt::format("diverged at step {}", step + 1);
      break;
    }
    result.steps = step + 1;
    result.tokens += int64_t(batch.tokens.size());
    since_point += value;
    ++points_since;
    if (result.steps % every == 0 || result.steps == options.steps) {
      result.curve.push_back({result.steps, since_point / double(points_since)});
      since_point = 0;
      points_since = 0;
    }
    if (step >= tail_begin) {
      tail += value;
      ++tail_steps;
    }
    if (after_step && !after_step(result.steps, value)) {
      if (result.steps < options.steps) result.failure = "interrupted";
      break;
    }
  }
  result.train_loss = tail_steps ? tail / double(tail_steps) : std::nan("");
  result.peak_bytes = gradient.peak_bytes();
  result.seconds = seconds_now() - start;
  return result;
}

namespace {

// Counts of one group of sequences while they are judged.
struct Tally {
  double loss = 0;
  int64_t targets = 0, right = 0;
  std::vector<int64_t> seen, hit;  // by target class
  explicit Tally(size_t classes) : seen(classes), hit(classes) {}

  void add(int32_t target, double row_loss, bool is_right) {
    loss += row_loss;
    ++targets;
    right += is_right;
    ++seen[size_t(target)];
    hit[size_t(target)] += is_right;
  }

  Judgement judgement() const {
    Judgement j;
    j.targets = targets;
    if (!targets) return j;
    j.loss = loss / double(targets);
    j.accuracy = double(right) / double(targets);
    int64_t classes = 0;
    for (size_t c = 0; c < seen.size(); ++c) {
      if (!seen[c]) continue;
      ++classes;
      j.macro_accuracy += double(hit[c]) / double(seen[c]);
    }
    j.macro_accuracy /= double(classes);
    return j;
  }
};

int64_t argmax(const float* x, int64_t n) { return std::max_element(x, x + n) - x; }
int64_t argmax(const double* x, int64_t n) { return std::max_element(x, x + n) - x; }

}  // namespace

Judgement judge(Exec& exec, const Backbone& model, const Dataset& data, Split split, int batch_size,
                std::vector<Judgement>* by_part) {
  check_vocab(model, data);
  size_t classes = size_t(model.sizes().vocab);
  Tally total(classes);
  std::vector<Tally> parts(data.parts().size(), Tally(classes));
  Tape tape(exec, false);
  for (const Batch& batch : data.evaluation(split, batch_size)) {
    Tensor losses;
    Var logits = model.forward(tape, tokens_of(exec, batch));
    cross_entropy(logits, targets_of(exec, batch), &losses);
    dispatch(losses.dtype(), [&]<class T>() {
      HostView<T> scores(exec.contiguous(logits.value())), loss_of(losses);
      for (size_t row = 0; row < batch.targets.size(); ++row) {
        int32_t target = batch.targets[row];
        if (target < 0) continue;
        const T* x = scores.data() + int64_t(row) * int64_t(classes);
        bool right = argmax(x, int64_t(classes)) == target;
        double loss = double(loss_of[int64_t(row)]);
        total.add(target, loss, right);
        size_t part = batch.parts.empty() ? 0 : size_t(batch.parts[row / size_t(batch.length)]);
        parts[part].add(target, loss, right);
      }
    });
  }
  if (by_part) {
    by_part->clear();
    for (auto& tally : parts) by_part->push_back(tally.judgement());
  }
  return total.judgement();
}

}  // namespace star
