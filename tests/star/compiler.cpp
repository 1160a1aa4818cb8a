// Every repaired genome compiles, trains a step and decodes.
#include "star/compiler.h"

#include <doctest/doctest.h>

#include "autograd/adamw.h"
#include "autograd/rows.h"
#include "cpu/cpu.h"
#include "star/sharing.h"
#include "tests/liv/models.h"

namespace star {
namespace {

const Sizes kSizes{8, 2, 5, 4, 3};

bool all_finite(const Tensor& t) {
  for (double x : t.to_doubles())
    if (!std::isfinite(x)) return false;
  return true;
}

// Compiles, takes one step, and decodes one token behind a prefix, which must be what the parallel
// form says of it.
void check_lives(Exec& exec, const Genome& genome, const Pool& pool) {
  Backbone model(&exec, compile(genome, pool), kSizes, DType::f32, 1);
  Tensor tokens = exec.from({1, 4}, std::vector<int32_t>{1, 0, 4, 2});
  Tensor targets = exec.from({4}, std::vector<int32_t>{0, 4, 2, 3});
  {
    exec.fill(model.flat_grads(), 0);
    Tape tape(exec);
    Var loss = cross_entropy(model.forward(tape, tokens), targets);
    CHECK(std::isfinite(loss.value().item()));
    tape.backward(loss);
  }
  AdamW optimizer(exec, model.flat_values(), model.flat_grads(), model.decayed());
  double norm = optimizer.step(1e-3);
  CHECK((std::isfinite(norm) && norm > 0));
  CHECK(all_finite(model.flat_values()));

  Tape tape(exec, false);
  DecodingState state;
  model.forward(tape, exec.from({1, 3}, std::vector<int32_t>{1, 0, 4}), &state);
  Var next = model.forward(tape, exec.from({1, 1}, std::vector<int32_t>{2}), &state);
  std::vector<double> parallel = model.forward(tape, tokens).value().narrow(0, 3, 1).to_doubles();
  CHECK(relative_error(next.value().to_doubles(), parallel) < 1e-4);
  CHECK(4 * state.floats() == model.cache_bytes(4));
}

// Sanitizers make each genome some twenty times as dear.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kGenomes = 250;
#else
constexpr int kGenomes = 5000;
#endif

void check_random_genomes(const Pool& pool, bool overrides, int count) {
  Exec exec(cpu_backend());
  Rng rng(overrides ? 1 : 2, "test.compiler", pool.classes.size());
  for (int round = 0; round < count; ++round) {
    std::string text = random_genome_text(rng, pool, 1 + int(rng.below(6)), overrides);
    Genome genome = repair(text, pool);
    INFO(text << " → " << to_text(genome));
    CHECK(repair(to_text(genome), pool) == genome);
    Genome written = canonical(genome, pool);
    CHECK(parse(to_text(written), pool) == written);
    CHECK(canonical(written, pool) == written);
    check_lives(exec, genome, pool);
  }
}

}  // namespace

TEST_CASE("compiler: random digits of the paper's pool live once repaired") {
  check_random_genomes(paper_pool(), false, kGenomes);
}
TEST_CASE("compiler: random digits of the extended pool live once repaired") {
  check_random_genomes(extended_pool(), false, kGenomes);
}
TEST_CASE("compiler: random overrides of the paper's pool live once repaired") {
  check_random_genomes(paper_pool(), true, kGenomes);
}
TEST_CASE("compiler: random overrides of the extended pool live once repaired") {
  check_random_genomes(extended_pool(), true, kGenomes);
}

TEST_CASE("compiler: a genome and its canonical form are one model") {
  Rng rng(6, "test.compiler.canonical");
  const Pool pool = extended_pool();
  for (int round = 0; round < 100; ++round) {
    Genome genome = repair(random_genome_text(rng, pool, 5, round % 2), pool);
    INFO(to_text(genome));
    Exec exec(cpu_backend());
    Backbone a(&exec, compile(genome, pool), kSizes),
        b(&exec, compile(canonical(genome, pool), pool), kSizes);
    REQUIRE(a.parameters().size() == b.parameters().size());
    for (size_t i = 0; i < a.parameters().size(); ++i)
      CHECK(a.parameters()[i].name == b.parameters()[i].name);
    Tape tape(exec, false);
    Tensor tokens = random_tokens(exec, rng, 1, 5, kSizes.vocab);
    CHECK(a.forward(tape, tokens).value().to_doubles() ==
          b.forward(tape, tokens).value().to_doubles());
  }
}

TEST_CASE("compiler: blocks hold the class in force, its sources and whether it is parallel") {
  const Pool pool = extended_pool();
  Genome genome = parse("21112-91111-211122|2:22223|%2:21111,23121,23121", pool);
  std::vector<Block> blocks = compile(genome, pool);
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[0].liv.op.sparsity() == Sparsity::banded);
  CHECK(blocks[2].liv.groups[1].digits == Digits{2, 3, 1, 2, 1});
  CHECK(blocks[2].sources[1] == FeatureSource{0, -1});
  CHECK(blocks[2].sources[0] == FeatureSource{2, 2});
  CHECK((!blocks[0].parallel && !blocks[1].parallel && blocks[2].parallel));
}

TEST_CASE("compiler: a repeated backbone is the genome in which each copy has groups of its own") {
  const Pool pool = extended_pool();
  const auto blocks_of = [&](const char* text) { return compile(parse(text, pool), pool); };
  const std::vector<Block> twice = repeated(blocks_of("21212-91311-21212-913112"), 2);
  const std::vector<Block> written = blocks_of("21212-91311-21212-913112-22222-92311-22222-923112");
  REQUIRE(twice.size() == written.size());
  for (size_t i = 0; i < twice.size(); ++i) {
    INFO("block " << i);
    CHECK(twice[i].liv == written[i].liv);
    CHECK(twice[i].sources == written[i].sources);
    CHECK(twice[i].parallel == written[i].parallel);
  }
  CHECK(repeated(blocks_of("11111"), 1).size() == 1);
  // Beyond the groups that digits could number.
  const auto deep = repeated(blocks_of("21212-21212"), 12);
  Backbone model(nullptr, deep, kSizes), one(nullptr, blocks_of("21212-21212"), kSizes);
  const int64_t rest =
      one.parameter_count() - one.layer_parameter_count(0) - one.layer_parameter_count(1);
  CHECK(model.parameter_count() - rest == 12 * (one.parameter_count() - rest));
  CHECK(model.cache_bytes(9) == 12 * one.cache_bytes(9));
}

TEST_CASE("compiler: a stretched backbone repeats each LIV in place, with its sharing") {
  const Pool pool = extended_pool();
  const auto blocks_of = [&](const char* text) { return compile(parse(text, pool), pool); };
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"11111-91111", "11111-11111-91111-91111"},
      // Each copy has a group of its own, and a parallel run stays one.
      {"21212-91311-21212-913112", "21212-22222-91311-92311-21212-913112-22222-923112"},
      {"11111-211112-311112-91111", "11111-211112-311112-11111-211112-311112-91111-91111"}};
  for (auto& [text, written] : cases) {
    INFO(text);
    const std::vector<Block> twice = stretched(blocks_of(text), 2), same = blocks_of(written);
    REQUIRE(twice.size() == same.size());
    for (size_t i = 0; i < twice.size(); ++i) {
      INFO("block " << i);
      CHECK(twice[i].liv == same[i].liv);
      CHECK(twice[i].sources == same[i].sources);
      CHECK(twice[i].parallel == same[i].parallel);
    }
  }
  Rng rng(8, "test.compiler.stretched");
  for (int round = 0; round < 50; ++round) {
    const Genome genome = repair(random_genome_text(rng, pool, 5, false), pool);
    INFO(to_text(genome));
    const std::vector<Block> blocks = compile(genome, pool);
    const Backbone in_place(nullptr, stretched(blocks, 3), kSizes),
        in_a_row(nullptr, repeated(blocks, 3), kSizes);
    CHECK(in_place.parameter_count() == in_a_row.parameter_count());
    CHECK(in_place.cache_bytes(9) == in_a_row.cache_bytes(9));
  }
}

TEST_CASE("compiler: a parallel run reads what the LIV before it read") {
  const Sizes sizes{8, 2, 5, 8, 3};
  Exec exec(cpu_backend());
  // In a run the order does not matter; one behind the other it does.
  auto logits = [&](const char* text, bool swapped) {
    Backbone model = random_model(exec, text, sizes, DType::f64, 3);
    auto exchange = [&](const std::string& name) {
      Parameter *a = model.find("blocks.0." + name), *b = model.find("blocks.1." + name);
      Tensor kept = exec.from(a->value.shape(), a->value.to_doubles(), DType::f64);
      exec.copy(b->value, a->value);
      exec.copy(kept, b->value);
    };
    if (swapped)
      for (auto name :
           {"norm.weight", "liv.q.weight", "liv.k.weight", "liv.v.weight", "liv.o.weight"})
        exchange(name);
    Tape tape(exec, false);
    return model.forward(tape, exec.from({1, 3}, std::vector<int32_t>{1, 2, 0}))
        .value()
        .to_doubles();
  };
  CHECK(relative_error(logits("11111-111112", true), logits("11111-111112", false)) < 1e-12);
  CHECK(relative_error(logits("11111-11111", true), logits("11111-11111", false)) > 1e-3);
  CHECK(relative_error(logits("11111-11111", false), logits("11111-111112", false)) > 1e-3);
}

}  // namespace star
