#include "star/output_loss.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/rows.h"
#include "cpu/cpu.h"
#include "star/data.h"
#include "tests/liv/models.h"

namespace star::synthesis {
namespace {

const Sizes kSizes{8, 2, 11, 6, 3};

}  // namespace

TEST_CASE("output loss: in tiles of any size it is that of all logits, and so are its gradients") {
  Exec exec(cpu_backend());
  Backbone model = random_model(exec, "11111", kSizes, DType::f64, 2);
  for (uint64_t index = 0; index < 12; ++index) {
    Rng rng(1, "output loss", index);
    const int64_t rows = 1 + int64_t(rng.below(40));
    const Tensor hidden = random_tensor(exec, rng, {rows, kSizes.width}, DType::f64);
    std::vector<int32_t> classes;
    // Of some batches no target counts.
    for (int64_t i = 0; i < rows; ++i)
      classes.push_back(index == 3 || rng.chance(0.3) ? kIgnored : int32_t(rng.below(11)));
    const Tensor targets = exec.from({rows}, classes);
    const int64_t counted = rows - std::count(classes.begin(), classes.end(), kIgnored);

    exec.fill(model.flat_grads(), 0);
    Tape tape(exec);
    const Var h = tape.leaf(hidden), logits = model.output(tape, h);
    TargetRows of_rows;
    const Var loss = cross_entropy(logits, targets, &of_rows);
    const std::vector<double> scores = logits.value().to_doubles();
    tape.backward(loss);
    const std::vector<double> slope = tape.grad(h).to_doubles(),
                              table = model.flat_grads().to_doubles();

    for (int64_t tile : {int64_t(1), int64_t(11 * 3), int64_t(11 * 16 + 5), OutputLoss::kTile}) {
      CAPTURE(tile);
      exec.fill(model.flat_grads(), 0);
      OutputLoss output(exec, model, tile);
      Tensor found;
      const Tensor losses = output.differentiate(hidden, targets, counted, found);
      const double value = OutputLoss::mean(losses, counted);
      CHECK(relative_error(losses.to_doubles(), of_rows.loss.to_doubles()) < 1e-13);
      CHECK(value == doctest::Approx(loss.value().item()).epsilon(1e-13));
      CHECK(relative_error(found.to_doubles(), slope) < 1e-13);
      CHECK(relative_error(model.flat_grads().to_doubles(), table) < 1e-13);
      if (tile == OutputLoss::kTile) {  // at once: to the last bit
        CHECK(found.to_doubles() == slope);
        CHECK(model.flat_grads().to_doubles() == table);
      }
      const OutputLoss::Rows judged = output.judge(hidden, targets);
      CHECK(relative_error(judged.loss, of_rows.loss.to_doubles()) < 1e-13);
      for (int64_t i = 0; i < rows; ++i) {
        const double* row = &scores[size_t(i * 11)];
        CHECK(judged.hit[size_t(i)] ==
              (classes[size_t(i)] >= 0 &&
               std::max_element(row, row + 11) - row == classes[size_t(i)]));
      }
    }
  }
}

TEST_CASE("output loss: no more logits than a tile are there at a time") {
  Sizes sizes = kSizes;
  sizes.vocab = 4000;
  constexpr int64_t kRows = 512, kTile = 16 * 4000;
  auto peak = [&](int64_t tile) {
    Exec exec(cpu_backend());
    Backbone model(&exec, compile(parse("91111", extended_pool()), extended_pool()), sizes);
    Rng rng(1, "output loss");
    const Tensor hidden = random_tensor(exec, rng, {kRows, sizes.width}, DType::f32);
    const Tensor targets = random_tokens(exec, rng, 1, kRows, sizes.vocab).reshape({kRows});
    OutputLoss output(exec, model, tile);
    Tensor slope;
    output.differentiate(hidden, targets, kRows, slope);
    output.judge(hidden, targets);
    return int64_t(exec.arena().peak_bytes());
  };
  const int64_t logits = 4 * kRows * sizes.vocab;
  CHECK(peak(OutputLoss::kTile) > 2 * logits);
  CHECK(peak(kTile) < logits / 4);
}

}  // namespace star::synthesis
