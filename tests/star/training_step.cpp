#include "star/training_step.h"

#include <doctest/doctest.h>

#include "liv/certificate.h"
#include "tests/star/counting.h"

namespace star::synthesis {
namespace {

struct Step {
  double loss;
  std::vector<double> gradient;
};

Step step_in(int parts, const Batch& batch, DType dtype, int threads = 1, Math math = Math::fp32) {
  Exec exec(cpu_backend(), threads);
  Backbone model = fresh(exec, kGenome, dtype);
  exec.fill(model.flat_grads(), 7);  // which is overwritten
  Step step;
  step.loss = TrainingStep(exec, model, math).run(batch, parts);
  CHECK(exec.math() == Math::fp32);
  step.gradient = model.flat_grads().to_doubles();
  return step;
}

}  // namespace

TEST_CASE("training step: in parts it is that of the whole batch, whatever targets count") {
  const Batch even = Counting().train_batch(3, 0, 8);
  Batch some = even, rest = even, none = even;
  // Of the first two sequences nothing counts, of the third one target.
  for (int i = 0; i < 3 * 8 - 1; ++i) some.targets[size_t(i)] = kIgnored;
  for (int i = 8; i < 64; ++i) rest.targets[size_t(i)] = kIgnored;
  std::fill(none.targets.begin(), none.targets.end(), kIgnored);
  for (const Batch& batch : {even, some, rest, none}) {
    const Step whole = step_in(1, batch, DType::f64);
    for (int parts : {2, 3, 5, 8}) {
      CAPTURE(parts);
      // In double precision sums in another order differ by some 1e-16 of their terms.
      const Step step = step_in(parts, batch, DType::f64);
      CHECK(step.loss == doctest::Approx(whole.loss).epsilon(1e-12));
      CHECK(relative_error(step.gradient, whole.gradient) < 1e-12);
      const Step one = step_in(parts, batch, DType::f32),
                 two = step_in(parts, batch, DType::f32, 2);
      CHECK(one.loss == two.loss);
      CHECK(one.gradient == two.gradient);
    }
  }
  CHECK(step_in(1, none, DType::f64).loss == 0);
}

// Every rounding is 2^-12 or 2^-9 of a factor at most, and a gradient has some ten of them.
TEST_CASE("training step: products of tf32 and bf16 move its gradient by as much as they drop") {
  const Batch batch = Counting().train_batch(3, 0, 8);
  const Step exact = step_in(1, batch, DType::f32), wide = step_in(1, batch, DType::f64);
  for (auto [math, least, most] : {std::tuple{Math::tf32, 1e-5, 4e-3}, {Math::bf16, 1e-4, 3e-2}}) {
    CAPTURE(int(math));
    const Step step = step_in(1, batch, DType::f32, 1, math);
    const double moved = relative_error(step.gradient, exact.gradient);
    CHECK(moved > least);
    CHECK(moved < most);
    CHECK(step.loss != exact.loss);
    CHECK(step.loss == doctest::Approx(exact.loss).epsilon(most));
    CHECK(step.gradient == step_in(1, batch, DType::f32, 2, math).gradient);
    CHECK(step_in(1, batch, DType::f64, 1, math).gradient == wide.gradient);
  }
}

TEST_CASE("training step: a training in parts takes less memory, and comes to the same") {
  auto trained = [](int parts, std::vector<double>& losses) {
    TrainOptions options = options_of(12);
    options.batch = 32;
    options.accumulate = parts;
    Exec exec(cpu_backend());
    Backbone model = fresh(exec);
    return train(exec, model, Counting(), options, [&](const StepReport& step) {
      losses.push_back(step.loss);
      return true;
    });
  };
  std::vector<double> at_once, in_parts;
  const TrainResult whole = trained(1, at_once), parts = trained(8, in_parts);
  CHECK(parts.tokens == whole.tokens);
  CHECK(parts.train_targets == whole.train_targets);
  // Activations of a sequence in eight of thirty-two; weights and moments are the same.
  CHECK(parts.peak_bytes < whole.peak_bytes / 3);
  for (size_t i = 0; i < at_once.size(); ++i)
    CHECK(in_parts[i] == doctest::Approx(at_once[i]).epsilon(1e-4));
  std::vector<double> none;
  CHECK_THROWS_WITH_AS(trained(33, none), "--accumulate 33: a batch has 32 sequences", Error);
}

}  // namespace star::synthesis
