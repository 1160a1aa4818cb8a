#include "star/trainer.h"

#include <doctest/doctest.h>

#include <limits>

#include "autograd/rows.h"
#include "star/generator.h"
#include "star/statistics.h"
#include "star/tasks.h"
#include "tests/star/counting.h"

namespace star::synthesis {
namespace {

struct Trained {
  TrainResult result;
  std::vector<double> weights, losses;
};

Trained trained(int threads, const TrainOptions& options, const char* genome = kGenome) {
  Exec exec(cpu_backend(), threads);
  Backbone model = fresh(exec, genome);
  Trained t;
  t.result = train(exec, model, Counting(), options, [&](const StepReport& step) {
    t.losses.push_back(step.loss);
    return true;
  });
  t.weights = model.flat_values().to_doubles();
  return t;
}

bool finite(const std::vector<double>& values) {
  for (double x : values)
    if (!std::isfinite(x)) return false;
  return true;
}

}  // namespace

TEST_CASE("trainer: an easy task is learnt") {
  Exec exec(cpu_backend());
  Backbone model = fresh(exec);
  Counting data;
  Judgement before = judge(exec, model, data, Split::test);
  CHECK(before.loss == doctest::Approx(std::log(8)).epsilon(0.1));
  TrainResult result = train(exec, model, data, options_of(150));
  Judgement after = judge(exec, model, data, Split::test);
  CHECK(result.failure == "");
  CHECK(result.steps == 150);
  CHECK(result.tokens == 150 * 8 * 8);
  CHECK(result.train_loss < 0.1);
  CHECK(after.loss < 0.1);
  CHECK(after.accuracy == 1);
  CHECK(after.macro_accuracy == 1);
}

TEST_CASE("trainer: a step is a batch, its gradient alone, and an update at the scheduled rate") {
  TrainOptions options = options_of(40);  // two steps of warm-up
  Trained t = trained(1, options);
  Exec exec(cpu_backend());
  Backbone model = fresh(exec);
  AdamW optimizer(exec, model.flat_values(), model.flat_grads(), model.decayed());
  for (int64_t step = 0; step < 40; ++step) {
    Batch b = Counting().train_batch(options.seed, step, options.batch);
    exec.fill(model.flat_grads(), 0);
    Tape tape(exec);
    Var logits = model.forward(tape, exec.from({b.sequences, b.length}, b.tokens));
    Var loss = cross_entropy(logits, exec.from({int64_t(b.targets.size())}, b.targets));
    CHECK(t.losses[size_t(step)] == loss.value().item());
    tape.backward(loss);
    optimizer.step(scheduled_rate("cosine", options.learning_rate, {40, 2, 0}, step));
  }
  CHECK(t.weights == model.flat_values().to_doubles());
}

TEST_CASE("trainer: the curve is the mean of the steps between its points") {
  for (int64_t steps : {1, 7, 100, 101, 230}) {
    TrainOptions options = options_of(steps);
    options.batch = 1;
    Trained t = trained(1, options, "91111");
    REQUIRE(int64_t(t.losses.size()) == steps);
    CHECK(t.result.curve.size() <= 101);
    CHECK(t.result.curve.back().step == steps);
    int64_t from = 0;
    for (const CurvePoint& point : t.result.curve) {
      double total = 0;
      for (int64_t s = from; s < point.step; ++s) total += t.losses[size_t(s)];
      CHECK(point.loss == doctest::Approx(total / double(point.step - from)).epsilon(1e-12));
      from = point.step;
    }
    std::vector<double> tail(t.losses.end() - std::max<int64_t>(1, steps / 10), t.losses.end());
    const Spread spread = spread_of(tail);
    const double count = double(tail.size());
    CHECK(t.result.train_loss == doctest::Approx(spread.mean).epsilon(1e-12));
    CHECK(t.result.train_targets == int64_t(8 * tail.size()));
    if (tail.size() > 1)
      CHECK(t.result.train_standard_error ==
            doctest::Approx(spread.deviation / std::sqrt(count)).epsilon(1e-6));
    else
      CHECK(std::isnan(t.result.train_standard_error));
  }
}

TEST_CASE("trainer: the same bits for the same seed, whatever the number of threads") {
  for (const char* genome : {kGenome, "81111-k1111-l1111-61111-i1111-j1111",
                             "11211-11211-91211-91211-51211-51211-71212-71212"}) {
    INFO(std::string(genome));
    Trained one = trained(1, options_of(6), genome), again = trained(1, options_of(6), genome);
    Trained two = trained(2, options_of(6), genome);
    TrainOptions other_seed = options_of(6);
    other_seed.seed = 4;
    CHECK(one.weights == again.weights);
    CHECK(one.weights == two.weights);
    CHECK(one.losses == two.losses);
    CHECK(one.weights != trained(1, other_seed, genome).weights);
  }
}

TEST_CASE("trainer: parts of a training come to the bits of the whole") {
  const int64_t steps = 30;
  for (const char* genome : {kGenome, "81111-k1111-l1111-61111-i1111-j1111"}) {
    INFO(std::string(genome));
    const Trained whole = trained(1, options_of(steps), genome);
    for (const std::vector<int64_t>& stops : {std::vector<int64_t>{1}, {7, 8}, {13, 28}, {29}}) {
      std::vector<double> losses;
      TrainingState state;
      TrainResult result;
      std::vector<int64_t> parts = stops;
      parts.push_back(0);
      for (int64_t stop : parts) {
        Exec exec(cpu_backend(), 1);
        // Weights that are not those it goes on with.
        Backbone model(&exec, fresh(exec, genome).blocks(), kSizes, DType::f32,
                       stop == parts[0] ? 5 : 6);
        const TrainingState from = state;
        result =
            train(exec, model, Counting(), options_of(steps),
                  [&](const StepReport& step) {
                    losses.push_back(step.loss);
                    return true;
                  },
                  {.until = stop, .from = stop == parts[0] ? nullptr : &from, .state = &state});
        CHECK(result.failure == "");
        CHECK(result.steps == (stop ? stop : steps));
      }
      CHECK(losses == whole.losses);
      CHECK(state.values == whole.weights);
      CHECK(result.curve == whole.result.curve);
      CHECK(result.train_loss == whole.result.train_loss);
      CHECK(result.train_targets == whole.result.train_targets);
      CHECK(result.train_standard_error == whole.result.train_standard_error);
      CHECK(loss_at(result, 13) == loss_at(whole.result, 13));
    }
    CHECK(loss_at(whole.result, 13) ==
          doctest::Approx((whole.losses[8] + whole.losses[9] + whole.losses[10] + whole.losses[11] +
                           whole.losses[12]) /
                          5));
    CHECK(loss_at(whole.result, 2) == doctest::Approx((whole.losses[0] + whole.losses[1]) / 2));
    CHECK_THROWS_AS(loss_at(whole.result, 31), Error);
  }
}

TEST_CASE("trainer: each step is reported, and saved as often as asked for") {
  const TrainOptions options = options_of(20);
  const Trained whole = trained(1, options);
  Exec exec(cpu_backend());
  Backbone model = fresh(exec);
  std::vector<int64_t> saved;
  std::vector<double> norms;
  TrainingState state;
  auto report = [&](const StepReport& step) {
    CHECK(step.number == int64_t(norms.size()) + 1);
    CHECK(step.loss == whole.losses[norms.size()]);
    CHECK(step.rate == rate_at(options, step.number - 1));
    CHECK(step.tokens == 8 * 8);
    CHECK(step.seconds > 0);
    norms.push_back(step.norm);
    return step.number < 12;
  };
  auto save = [&](const TrainingState& s) {
    CHECK(s.values == model.flat_values().to_doubles());
    saved.push_back(int64_t(s.losses.size()));
    state = s;
  };
  CHECK(train(exec, model, Counting(), options, report, {.save_every = 5, .save = save}).failure ==
        "interrupted");
  CHECK(saved == std::vector<int64_t>{5, 10});
  CHECK(norms[0] > 0);
  CHECK(norms[0] != norms[1]);
  // Where it goes on from comes first, and the end does not come at all.
  saved.clear();
  const TrainingState from = state;
  train(exec, model, Counting(), options, {}, {.from = &from, .save_every = 5, .save = save});
  CHECK(saved == std::vector<int64_t>{10, 15});
  CHECK(model.flat_values().to_doubles() == whole.weights);
}

TEST_CASE("trainer: a state of another model is refused, not read beyond its end") {
  Exec exec(cpu_backend());
  Backbone small = fresh(exec, "91111"), large = fresh(exec);
  TrainingState state;
  train(exec, small, Counting(), options_of(4), {}, {.until = 2, .state = &state});
  CHECK_THROWS_WITH_AS(train(exec, large, Counting(), options_of(4), {}, {.from = &state}),
                       doctest::Contains("a training of"), Error);
}

TEST_CASE("trainer: divergence is a value") {
  TrainOptions wild = options_of(20);
  wild.learning_rate = 1e30;
  Trained t = trained(1, wild);
  CHECK(t.result.failure.find("diverged at step") == 0);
  CHECK(t.result.steps < 20);

  Exec exec(cpu_backend());
  for (double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    Backbone model = fresh(exec);
    exec.copy(exec.full({1}, DType::f32, bad), model.find("blocks.1.liv.gate.weight")
                                                   ->value.narrow(0, 2, 1)
                                                   .reshape({16})
                                                   .narrow(0, 1, 1));
    TrainResult result = train(exec, model, Counting(), options_of(5));
    CHECK(result.failure == "diverged at step 1");
    CHECK(result.steps == 0);
    CHECK(std::isnan(result.train_loss));
  }
  // One that the last step brings about is followed by no loss that would tell.
  TrainOptions last = options_of(1);
  last.learning_rate = 1e39;  // beyond float32
  last.warmup = 0;
  CHECK(trained(1, last).result.failure == "diverged at step 1");
  // A great rate alone is none as long as the numbers hold.
  int survived = 0;
  for (double rate : {0.1, 10.0, 1e3, 1e30}) {
    TrainOptions great = options_of(20);
    great.learning_rate = rate;
    const Trained t20 = trained(1, great);
    if (!t20.result.failure.empty()) continue;
    CHECK(finite(t20.weights));
    ++survived;
  }
  CHECK((survived > 0 && survived < 4));
}

TEST_CASE("trainer: after the first steps no memory is asked of the system") {
  for (const char* genome : {kGenome, "81111-k1111-l1111-61111-i1111-j1111-a1212-a1212"}) {
    Exec exec(cpu_backend(), 2);
    Backbone model = fresh(exec, genome);
    int64_t settled = 0;
    size_t live = 0;
    train(exec, model, Counting(), options_of(12), [&](const StepReport& step) {
      if (step.number == 2) settled = exec.arena().system_allocations();
      if (step.number == 2) live = exec.arena().live_bytes();
      if (step.number > 2) CHECK(exec.arena().live_bytes() == live);
      return true;
    });
    CHECK(settled > 0);
    CHECK(exec.arena().system_allocations() == settled);
  }
}

TEST_CASE("trainer: it stops when asked to, and refuses data beyond the vocabulary") {
  Exec exec(cpu_backend());
  Backbone model = fresh(exec);
  auto until_four = [](const StepReport& step) { return step.number < 4; };
  TrainResult result = train(exec, model, Counting(), options_of(10), until_four);
  CHECK(result.steps == 4);
  CHECK(result.failure == "interrupted");
  CHECK(train(exec, model, Counting(), options_of(4), until_four).failure == "");
  const Pool pool = extended_pool();
  Sizes small = kSizes;
  small.vocab = 5;
  Backbone narrow(&exec, compile(parse("91111", pool), pool), small);
  CHECK_THROWS_WITH_AS(train(exec, narrow, Counting(), options_of(1)),
                       doctest::Contains("the data has 6 tokens, the model 5"), Error);
  CHECK_THROWS_WITH_AS(judge(exec, narrow, Counting(), Split::test),
                       doctest::Contains("the data has 6 tokens, the model 5"), Error);
}

TEST_CASE("trainer: a few tokens are compressed into the last state and told again") {
  Exec exec(cpu_backend());
  const TaskData data(parse_task("compress:V=4,L=4"), 0);
  const Pool pool = extended_pool();
  Sizes sizes = kSizes;
  sizes.vocab = data.vocab();
  sizes.seq = data.length();
  auto model = [&] { return Backbone(&exec, compile(parse("51111-91111", pool), pool), sizes); };
  Backbone plain = model();
  CHECK_THROWS_WITH_AS(train(exec, plain, data, options_of(1)),
                       doctest::Contains("without a decoder"), Error);
  sizes.decoder = data.needs_decoder();
  Backbone decoding = model();
  TrainOptions options = options_of(600);
  options.batch = 32;
  options.learning_rate = 1e-2;
  train(exec, decoding, data, options);
  // One of three each, by chance.
  CHECK(judge(exec, decoding, data, Split::test, {.tokens = 1024}).accuracy > 0.9);
  sizes.vocab = kVocab;
  Backbone other = model();
  CHECK_THROWS_WITH_AS(judge(exec, other, Counting(), Split::test),
                       doctest::Contains("asks for each in turn"), Error);
}

TEST_CASE("judge: loss and accuracies against counting by hand") {
  for (DType dtype : {DType::f32, DType::f64}) {
    Exec exec(cpu_backend());
    Backbone model = fresh(exec, "11111-91111", dtype);
    Counting data;
    train(exec, model, data, options_of(20));  // half learnt: some right, some wrong
    std::vector<Judgement> by_part;
    Judgement all = judge(exec, model, data, Split::validation, {}, &by_part);
    REQUIRE(by_part.size() == 2);
    for (int part : {-1, 0, 1}) {
      double loss = 0, macro = 0;
      int64_t count = 0, right = 0, seen[kVocab] = {}, hit[kVocab] = {};
      std::vector<double> losses, counts;  // of sequences
      const Batch b = data.evaluation(Split::validation, data.sample(Split::validation, 0));
      for (int s = 0; s < b.sequences; ++s) {
        if (part >= 0 && b.parts[size_t(s)] != part) continue;
        losses.push_back(0);
        counts.push_back(0);
        std::span<const int32_t> tokens(&b.tokens[size_t(s * 8)], 8);
        std::vector<float> logits = all_logits(exec, model, tokens, DecodeMode::parallel);
        for (size_t i = 0; i < 8; ++i) {
          int32_t target = b.targets[size_t(s) * 8 + i];
          if (target == kIgnored) continue;
          double total = 0;
          int likeliest = 0;
          for (int t = 0; t < int(kVocab); ++t) {
            total += std::exp(double(logits[i * kVocab + size_t(t)]));
            if (logits[i * kVocab + size_t(t)] > logits[i * kVocab + size_t(likeliest)])
              likeliest = t;
          }
          const double one = std::log(total) - double(logits[i * kVocab + size_t(target)]);
          loss += one;
          losses.back() += one;
          ++counts.back();
          ++count;
          ++seen[target];
          right += likeliest == target;
          hit[target] += likeliest == target;
        }
      }
      int classes = 0;
      for (int t = 0; t < int(kVocab); ++t)
        if (seen[t]) macro += double(hit[t]) / double(seen[t]), ++classes;
      const Judgement& j = part < 0 ? all : by_part[size_t(part)];
      CHECK(j.targets == count);
      CHECK(j.loss == doctest::Approx(loss / double(count)).epsilon(1e-5));
      const double n = double(losses.size());
      double residuals = 0;
      for (size_t i = 0; i < losses.size(); ++i)
        residuals += std::pow(losses[i] - loss / double(count) * counts[i], 2);
      CHECK(j.standard_error ==
            doctest::Approx(std::sqrt(n / (n - 1) * residuals) / double(count)).epsilon(1e-3));
      CHECK(j.accuracy == doctest::Approx(double(right) / double(count)));
      CHECK(j.macro_accuracy == doctest::Approx(macro / classes));
    }
    // The number of sequences at a time is none of its business.
    for (int batch : {1, 3, 19, 100}) {
      const Judgement other = judge(exec, model, data, Split::validation, {.batch = batch});
      CHECK(other.loss == doctest::Approx(all.loss).epsilon(1e-6));
      CHECK(other.targets == all.targets);
    }
    CHECK(judge(exec, model, data, Split::validation, {.tokens = 40}).targets == 3 * 8 + 2 * 4);
    CHECK((all.accuracy > 0 && all.accuracy < 1 && all.accuracy != all.macro_accuracy));
  }
}

}  // namespace star::synthesis
