#include "star/trainer.h"

#include <cmath>

#include "core/clock.h"
#include "star/output_loss.h"
#include "star/statistics.h"
#include "star/training_step.h"

namespace star::synthesis {
namespace {

constexpr int64_t kCurvePoints = 100;
constexpr int kJudgedTogether = 2048;  // tokens

void check_data(const Backbone& model, const Dataset& data) {
  require(data.vocab() <= model.sizes().vocab, "the data has {} tokens, the model {}", data.vocab(),
          model.sizes().vocab);
  require(model.sizes().decoder || !data.needs_decoder(),
          "the data is told after its last token, and the model was trained without a decoder");
  require(!model.sizes().decoder || data.needs_decoder(),
          "the model tells all tokens after the last one, and the data asks for each in turn");
}

bool all_finite(const Tensor& values) {
  const std::vector<double> x = values.to_doubles();
  return std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); });
}

// What a training is seen to come to, step by step.
class Log {
 public:
  explicit Log(const TrainOptions& options)
      : steps_(options.steps),
        every_(std::max<int64_t>(1, blocks_of(steps_, kCurvePoints))),
        tail_begin_(steps_ - std::max<int64_t>(1, steps_ / 10)) {}

  void add(TrainResult& result, const StepLoss& step) {
    result.losses.push_back(step);
    const int64_t done = result.steps = int64_t(result.losses.size());
    since_point_ += step.loss;
    ++points_since_;
    if (done % every_ == 0 || done == steps_) {
      result.curve.push_back({done, since_point_ / double(points_since_)});
      since_point_ = 0;
      points_since_ = 0;
    }
    if (done > tail_begin_) tail_.add(step.loss * double(step.targets), step.targets);
  }

  const ClusterMean& tail() const { return tail_; }

 private:
  int64_t steps_, every_, tail_begin_;
  double since_point_ = 0;
  int64_t points_since_ = 0;
  ClusterMean tail_;
};

void put(Exec& exec, const std::vector<double>& values, const Tensor& to) {
  require(int64_t(values.size()) == to.numel(), "a training of {} numbers, the model has {}",
          values.size(), to.numel());
  exec.copy(exec.from(to.shape(), values, to.dtype()), to);
}

TrainingState state_of(const Backbone& model, const AdamW& optimizer, const TrainResult& result) {
  return {model.flat_values().to_doubles(), optimizer.first_moments().to_doubles(),
          optimizer.second_moments().to_doubles(), optimizer.updates(), result.losses};
}

}  // namespace

RatePlan rate_plan(const TrainOptions& o) {
  auto share = [&](double of) { return int64_t(std::llround(of * double(o.steps))); };
  return {o.steps, share(o.warmup), share(o.decay)};
}

double rate_at(const TrainOptions& o, int64_t step) {
  return scheduled_rate(o.schedule, o.learning_rate, rate_plan(o), step);
}

TrainResult train(Exec& exec, Backbone& model, const Dataset& data, const TrainOptions& options,
                  const StepCallback& after_step, const TrainPart& part) {
  check_data(model, data);
  require(options.accumulate <= options.batch, "--accumulate {}: a batch has {} sequences",
          options.accumulate, options.batch);
  AdamW optimizer(exec, model.flat_values(), model.flat_grads(), model.decayed(),
                  options.optimizer);
  TrainResult result;
  Log log(options);
  if (part.from) {
    put(exec, part.from->values, model.flat_values());
    put(exec, part.from->first, optimizer.first_moments());
    put(exec, part.from->second, optimizer.second_moments());
    optimizer.go_on_from(part.from->updates);
    for (auto& step : part.from->losses) log.add(result, step);
  }
  const int64_t until = part.until > 0 ? std::min(part.until, options.steps) : options.steps;
  auto save = [&] {
    const int64_t done = result.steps;
    if (part.save_every > 0 && done > 0 && done < until && done % part.save_every == 0)
      part.save(state_of(model, optimizer, result));
  };
  TrainingStep gradient(exec, model, options.math->math);
  save();
  while (result.steps < until) {
    const double start = seconds_now(), rate = rate_at(options, result.steps);
    const Batch batch = data.train_batch(options.seed, result.steps, options.batch);
    const double loss = gradient.run(batch, options.accumulate), norm = optimizer.step(rate);
    if (!std::isfinite(loss) || !std::isfinite(norm)) {
      result.failure = fmt::format("diverged at step {}", result.steps + 1);
      break;
    }
    log.add(result, {loss, counted_targets(batch)});
    const auto tokens = int64_t(batch.tokens.size());
    const StepReport done = {result.steps,
                             loss,
                             rate,
                             norm,
                             tokens,
                             seconds_now() - start,
                             gradient.system_allocations()};
    result.tokens += done.tokens;
    result.seconds += done.seconds;
    if (after_step && !after_step(done)) {
      if (result.steps < options.steps) result.failure = "interrupted";
      break;
    }
    save();
  }
  // The last update is followed by no loss that would tell.
  if (result.failure.empty() && until == options.steps && !all_finite(model.flat_values()))
    result.failure = fmt::format("diverged at step {}", result.steps);
  result.train_loss = log.tail().mean();
  result.train_targets = log.tail().count();
  result.train_standard_error = log.tail().standard_error();
  result.peak_bytes = gradient.peak_bytes();
  if (part.state) *part.state = state_of(model, optimizer, result);
  return result;
}

double loss_at(const TrainResult& result, int64_t step) {
  require(step >= 1 && step <= int64_t(result.losses.size()), "no loss at step {} of {}", step,
          result.losses.size());
  double sum = 0;
  const int64_t count = std::min<int64_t>(step, 5);
  for (int64_t i = step - count; i < step; ++i) sum += result.losses[size_t(i)].loss;
  return sum / double(count);
}

namespace {

// What is counted over sequences while they are judged.
class Tally {
 public:
  explicit Tally(size_t classes) : seen_(classes), hit_(classes) {}

  void add(int32_t target, double loss, bool right) {
    sequence_loss_ += loss;
    ++sequence_targets_;
    ++seen_[size_t(target)];
    hit_[size_t(target)] += right;
  }
  void end_sequence() {
    loss_.add(sequence_loss_, sequence_targets_);
    sequence_loss_ = 0;
    sequence_targets_ = 0;
  }

  Judgement judgement() const {
    Judgement j;
    j.targets = loss_.count();
    j.standard_error = loss_.standard_error();
    if (!j.targets) return j;
    j.loss = loss_.mean();
    int64_t classes = 0, right = 0;
    for (size_t c = 0; c < seen_.size(); ++c) {
      if (!seen_[c]) continue;
      ++classes;
      right += hit_[c];
      j.macro_accuracy += double(hit_[c]) / double(seen_[c]);
    }
    j.accuracy = double(right) / double(j.targets);
    j.macro_accuracy /= double(classes);
    return j;
  }

 private:
  ClusterMean loss_;
  double sequence_loss_ = 0;
  int64_t sequence_targets_ = 0;
  std::vector<int64_t> seen_, hit_;  // by target class
};

void judge_batch(Exec& exec, const Backbone& model, Tape& tape, OutputLoss& output,
                 const Batch& batch, Tally& total, std::vector<Tally>& parts) {
  const Var hidden = model.hidden(tape, tokens_of(exec, batch));
  const OutputLoss::Rows rows = output.judge(hidden.value(), targets_of(exec, batch));
  size_t row = 0;
  for (int s = 0; s < batch.sequences; ++s) {
    Tally& part = parts[size_t(batch.parts[size_t(s)])];
    for (int i = 0; i < batch.length; ++i, ++row) {
      const int32_t target = batch.targets[row];
      if (target < 0) continue;
      for (Tally* tally : {&total, &part}) tally->add(target, rows.loss[row], rows.hit[row]);
    }
    for (Tally* tally : {&total, &part}) tally->end_sequence();
  }
}

int64_t bytes_of_targets(const Batch& batch, std::span<const int> token_bytes) {
  int64_t bytes = 0;
  for (int32_t target : batch.targets)
    if (target >= 0 && size_t(target) < token_bytes.size()) bytes += token_bytes[size_t(target)];
  return bytes;
}

}  // namespace

double bits_a_byte(const Judgement& j) {
  if (j.bytes == 0) return std::nan("");
  return j.loss * double(j.targets) / double(j.bytes) / std::log(2.0);
}

Judgement judge(Exec& exec, const Backbone& model, const Dataset& data, Split split,
                const JudgeOptions& options, std::vector<Judgement>* by_part) {
  check_data(model, data);
  const size_t classes = size_t(model.sizes().vocab);
  Tally total(classes);
  std::vector<Tally> parts(data.parts().size(), Tally(classes));
  const std::vector<int64_t> sample = data.sample(split, options.tokens);
  const std::span<const int64_t> numbers(sample);
  const size_t together =
      size_t(options.batch > 0 ? options.batch : std::max(1, kJudgedTogether / data.length()));
  Tape tape(exec, false);
  OutputLoss output(exec, model);
  int64_t bytes = 0;
  for (size_t done = 0; done < numbers.size(); done += together) {
    if (options.progress) options.progress(int64_t(done), int64_t(numbers.size()));
    const Batch batch =
        data.evaluation(split, numbers.subspan(done, std::min(together, numbers.size() - done)));
    judge_batch(exec, model, tape, output, batch, total, parts);
    bytes += bytes_of_targets(batch, data.token_bytes());
  }
  if (options.progress) options.progress(int64_t(numbers.size()), int64_t(numbers.size()));
  if (by_part) {
    by_part->clear();
    for (auto& tally : parts) by_part->push_back(tally.judgement());
  }
  Judgement judgement = total.judgement();
  judgement.bytes = bytes;
  return judgement;
}

}  // namespace star::synthesis
