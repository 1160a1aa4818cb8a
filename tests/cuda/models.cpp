// Whole models on the CUDA device against the CPU: outputs and gradients of every class, decoding,
// and a training.
#include <doctest/doctest.h>

#include "autograd/rows.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "star/measurement.h"
#include "star/text.h"
#include "star/trainer.h"
#include "star/training_step.h"
#include "tests/kernels/cases.h"
#include "tests/liv/models.h"

using namespace star;
using namespace star::liv;

namespace {

struct Values {
  std::vector<double> logits, gradients;
  double loss;
};

// With weights and tokens drawn from `seed`, as on any other backend.
Values values_of(const Backend& backend, const std::string& genome, const Sizes& sizes, int64_t B,
                 int64_t L, uint64_t seed) {
  Exec exec(backend);
  Backbone model = random_model(exec, genome, sizes, DType::f64, seed);
  Rng rng(seed, "tokens");
  Tape tape(exec);
  Var logits = model.forward(tape, random_tokens(exec, rng, B, L, sizes.vocab));
  std::vector<int32_t> targets(size_t(B * L));
  for (auto& target : targets)
    target = rng.chance(0.2) ? kIgnored : int32_t(rng.below(uint32_t(sizes.vocab)));
  Var loss = cross_entropy(logits, exec.from({B * L}, targets));
  tape.backward(loss);
  return {logits.value().to_doubles(), model.flat_grads().to_doubles(), loss.value().item()};
}

// Relative to the largest element: products of some dozen factors, in double precision.
constexpr double kBound = 1e-10;

void check_agreement(const std::string& genome, const Sizes& sizes, int64_t B, int64_t L,
                     uint64_t seed) {
  INFO(fmt::format("{}: width {}, {} heads, {} sequences of {}, window {}", genome, sizes.width,
                   sizes.heads, B, L, sizes.window));
  Values cpu = values_of(cpu_backend(), genome, sizes, B, L, seed);
  Values cuda = values_of(cuda_backend(), genome, sizes, B, L, seed);
  CHECK(relative_error(cuda.logits, cpu.logits) < kBound);
  CHECK(relative_error(cuda.gradients, cpu.gradients) < kBound);
  CHECK(cuda.loss == doctest::Approx(cpu.loss).epsilon(kBound));
}

}  // namespace

// Lengths within a chunk of every scan and beyond several.
TEST_CASE("cuda: every class agrees with the CPU, forward and backward") {
  for (const LivClass& liv : extended_pool().classes) {
    std::string genome = std::string(1, liv.id) + "1111";
    check_agreement(genome, {16, 4, 11, 64, 8}, 2, 17, 1);
    check_agreement(genome, {12, 2, 7, 128, 64}, 1, 101, 2);
  }
}

TEST_CASE("cuda: genomes at random agree with the CPU, forward and backward") {
  const Pool pool = extended_pool();
  Rng rng(5, "cuda genomes");
  for (uint64_t i = 0; i < 40; ++i) {
    std::string genome = to_text(repair(random_genome_text(rng, pool, 3, true), pool));
    int64_t length = 1 + rng.below(70);
    check_agreement(genome, {24, 6, 11, 128, 1 + rng.below(80)}, 1 + rng.below(3), length, i);
  }
}

TEST_CASE("cuda: decoding agrees with the CPU") {
  const Sizes sizes{16, 4, 11, 64, 8};
  auto decoded = [&](const Backend& backend, const std::string& genome, bool eight_bits) {
    Exec exec(backend);
    Backbone model = random_model(exec, genome, sizes, DType::f64, 3);
    if (eight_bits) model.quantize(exec);
    Rng rng(3, "tokens");
    Tape tape(exec, false);
    DecodingState state;
    std::vector<double> all;
    for (int64_t piece : {9, 1, 1, 7, 1}) {
      Tensor tokens = random_tokens(exec, rng, 2, piece, sizes.vocab);
      auto logits = model.forward(tape, tokens, &state).value().to_doubles();
      all.insert(all.end(), logits.begin(), logits.end());
    }
    return all;
  };
  for (const LivClass& liv : extended_pool().classes) {
    std::string genome = std::string(1, liv.id) + "1111";
    CAPTURE(genome);
    for (bool eight_bits : {false, true})
      CHECK(relative_error(decoded(cuda_backend(), genome, eight_bits),
                           decoded(cpu_backend(), genome, eight_bits)) < kBound);
  }
}

// Every family: attention, linear attention, the recurrences, convolutions, gated products.
constexpr const char* kGenome = "11111-91111-21111-31111-41111-51111-61111-71111-81111-91111";

// Letters at random, some often, some rarely. Not the program's own text: every change to it would
// draw another training, and where text repeats itself for long, rounding may decide a step.
TextData letters_data(int64_t count) {
  std::string letters;
  for (Rng rng(1, "test.letters"); int64_t(letters.size()) < count;)
    letters += char('a' + rng.below(1 + rng.below(26)));
  return {std::vector<TextFile>{{"letters", letters}}, 16, "letters"};
}

TEST_CASE("cuda: the losses of a training are the CPU's") {
  TextData data = letters_data(50000);
  auto losses = [&](const Backend& backend, DType dtype) {
    Exec exec(backend);
    const Pool pool = extended_pool();
    Backbone model(&exec, compile(parse(kGenome, pool), pool), {16, 2, 256, 16, 8}, dtype, 1);
    std::vector<double> all;
    TrainOptions options{.steps = 100, .batch = 2};
    TrainResult result = train(exec, model, data, options, [&](const StepReport& step) {
      all.push_back(step.loss);
      return true;
    });
    CHECK(result.failure == "");
    all.push_back(judge(exec, model, data, Split::validation, {.tokens = 4096}).loss);
    return all;
  };
  // One rounding of a loss of about 5 is 4.8e-7 and 8.9e-16.
  for (auto [dtype, bound] : {std::pair{DType::f32, 1e-4}, {DType::f64, 1e-12}}) {
    std::vector<double> cpu = losses(cpu_backend(), dtype), cuda = losses(cuda_backend(), dtype);
    REQUIRE(cpu.size() == 101);
    REQUIRE(cuda.size() == 101);
    CHECK(cpu[99] < 0.9 * cpu[0]);
    for (size_t step = 0; step < cpu.size(); ++step) {
      CAPTURE(step);
      CHECK(std::abs(cuda[step] - cpu[step]) < bound);
    }
  }
}

// Where a factor is near the middle of two numbers, the last bit of what comes before decides: the two
// backends differ by a share of what math drops. Taken over several models, since one such factor
// early in a model moves much of what follows. Softmax attention is left out: the CPU's is float32.
TEST_CASE("cuda: products of tf32 and bf16 are the CPU's") {
  const Pool pool = extended_pool();
  TextData data = letters_data(4000);
  auto gradient = [&](const Backend& backend, Math math, uint64_t seed) {
    Exec exec(backend);
    const Genome genome = parse("51111-61111-71111-81111-91111", pool);
    Backbone model(&exec, compile(genome, pool), {16, 2, 256, 16, 8}, DType::f32, seed);
    TrainingStep step(exec, model, math);
    for (int64_t i : {0, 1}) step.run(data.train_batch(0, i, 2));  // the second is recorded
    return model.flat_grads().to_doubles();
  };
  auto square = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
  };
  for (Math math : {Math::tf32, Math::bf16}) {
    CAPTURE(int(math));
    double between = 0, dropped = 0;
    for (uint64_t seed : {1, 2, 3, 4}) {
      const std::vector<double> cpu = gradient(cpu_backend(), math, seed);
      between += square(gradient(cuda_backend(), math, seed), cpu);
      dropped += square(gradient(cpu_backend(), Math::fp32, seed), cpu);
    }
    // What a card rounds is its own affair; it is no more than was asked for.
    CHECK(std::sqrt(between) < (on_card(cuda_backend()) ? 2 : 0.6) * std::sqrt(dropped));
  }
}

TEST_CASE("cuda: a recorded step is the same as one that is not") {
  TextData data = letters_data(50000);
  Exec exec(cuda_backend());
  const Pool pool = extended_pool();
  Backbone model(&exec, compile(parse(kGenome, pool), pool), {16, 2, 256, 16, 8}, DType::f32, 1);
  TrainingStep recorded(exec, model);
  recorded.run(data.train_batch(0, 0, 2));
  // From the second one on there is a recording; one of another shape is computed as it comes.
  for (int64_t step : {1, 2, 3, 4}) {
    CAPTURE(step);
    Batch batch = data.train_batch(0, step, step == 3 ? 1 : 2);
    double loss = recorded.run(batch);
    std::vector<double> gradient = model.flat_grads().to_doubles();
    CHECK(TrainingStep(exec, model).run(batch) == loss);
    CHECK(model.flat_grads().to_doubles() == gradient);
    exec.kernels<float>().scale(exec, {.n = model.flat_values().numel(),
                                       .factor = 0.99f,
                                       .shift = 0.0f,
                                       .x = model.flat_values().data<float>(),
                                       .y = model.flat_values().data<float>()});
  }
}

// Kernels, products and copies, whether a graph runs them or not. A change that needs more says so
// here, and one that needs fewer too.
TEST_CASE("cuda: launches of a training step") {
  TextData data = letters_data(50000);
  auto launches_of = [&](const char* genome) {
    Exec exec(cuda_backend());
    const Pool pool = extended_pool();
    Backbone model(&exec, compile(parse(genome, pool), pool), {16, 2, 256, 16, 8}, DType::f32, 1);
    std::vector<int64_t> so_far;
    train(exec, model, data, {.steps = 5, .batch = 2}, [&](const StepReport&) {
      so_far.push_back(cuda_launches());
      return true;
    });
    REQUIRE(so_far.size() == 5);
    CHECK(so_far[4] - so_far[3] == so_far[3] - so_far[2]);
    return so_far[4] - so_far[3];
  };
  CHECK(launches_of("11111-91111-11111-91111") == 108);
  CHECK(launches_of("11111-91111-71111-91111-51111-91111-61111-91111") == 231);
}

TEST_CASE("cuda: the memory of decoding is that of its tensors") {
  Exec exec(cuda_backend());
  const Pool pool = extended_pool();
  Backbone model(&exec, compile(parse(kGenome, pool), pool), {16, 2, 256, 16, 8}, DType::f32, 1);
  const double bytes = measure_peak({exec, model, 24, resident_bytes()}).value;
  CHECK(bytes == double(exec.arena().reserved_bytes()));
  CHECK(bytes >= double(4 * model.parameter_count() + model.cache_bytes(24)));
}

TEST_CASE("cuda: a graph keeps launches and what is written, and nothing is read in it") {
  Exec exec(cuda_backend());
  Tensor x = exec.zeros({4}, DType::f32), y = exec.zeros({2}, DType::f32);
  CHECK_THROWS_WITH_AS(Graph(exec, [&] { x.to_doubles(); }), doctest::Contains("while a graph"),
                       Error);
  Graph write(exec, [&] { y.assign(std::vector<float>{5, 6}); });
  CHECK(y.to_doubles() == std::vector<double>{0, 0});
  for (int i = 0; i < 2; ++i) {
    write.run();
    CHECK(y.to_doubles() == std::vector<double>{5, 6});
    exec.fill(y, 1);
  }
  Graph twice(exec, [&] {
    exec.kernels<float>().scale(
        exec, {.n = 4, .factor = 2.0f, .shift = 1.0f, .x = x.data<float>(), .y = x.data<float>()});
  });
  CHECK(x.to_doubles() == std::vector<double>(4, 0.0));
  twice.run();
  twice.run();
  CHECK(x.to_doubles() == std::vector<double>(4, 3.0));
}

TEST_CASE("cuda: an index outside of a table gives no number and no fault") {
  Exec exec(cuda_backend());
  Tape tape(exec);
  Var table = tape.leaf(exec.full({3, 2}, DType::f32, 1));
  std::vector<int32_t> index = {1, -1, 3, 2};
  Var rows = embedding(table, exec.from({4}, index));
  auto values = rows.value().to_doubles();
  for (size_t i = 0; i < 8; ++i) CHECK(std::isnan(values[i]) == (i / 2 == 1 || i / 2 == 2));
  tape.backward(rows, exec.full({4, 2}, DType::f32, 1));
  CHECK(tape.grad(table).to_doubles() == std::vector<double>{0, 0, 1, 1, 1, 1});
  const std::vector<int32_t> targets = {2, 0, kIgnored, 1};
  Tensor slope, hits;
  const Tensor logits = exec.full({4, 2}, DType::f32, 1);
  const auto losses =
      row_losses(exec, logits, exec.from({4}, targets), 1, &slope, &hits).to_doubles();
  for (size_t i = 0; i < 4; ++i) CHECK(std::isnan(losses[i]) == (i == 0));
  CHECK(hits.to_doubles() == std::vector<double>{0, 1, 0, 0});
}
