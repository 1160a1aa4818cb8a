#include "star/translation.h"

#include <doctest/doctest.h>

#include "cpu/cpu.h"
#include "liv/pool_file.h"
#include "star/checkpoint.h"
#include "tests/liv/pools.h"
#include "tests/temporary.h"

namespace star {
namespace {

const Sizes kSizes{8, 2, 5, 4, 3};

// Gated attention, which no default class is, and attention that keeps a default one's id.
const char* const kUserPool =
    "featurizer 1: q 21111, k 21111, v 21111\n"
    "featurizer g: q 21111, k 21111, v 21111, z 21114\n"
    "featurizer 9: gate 21411, v 21411\n"
    "class 1 banded: 12223\n"
    "class z gated: g2123\n"
    "class w softmax: 12123\n"
    "class x memoryless: 91142\n"
    "class y D-memoryless: differential of x\n";

std::vector<double> logits_of(Backbone& model, Exec& exec) {
  Tape tape(exec, false);
  return model.forward(tape, exec.from({1, 4}, std::vector<int32_t>{1, 0, 4, 2}))
      .value()
      .to_doubles();
}

std::string translated(const char* text) {
  const Pool pool = parse_pool(kUserPool, "text");
  auto genome = translate(parse(text, pool), pool, extended_pool());
  return genome ? to_text(*genome) : "none";
}

}  // namespace

TEST_CASE("translation: a genome of a default pool stays as it is") {
  const Pool extended = extended_pool();
  for (const Pool& pool : {paper_pool(), extended}) {
    Rng rng(41, "test.translation");
    for (int round = 0; round < 300; ++round) {
      Genome genome = repair(random_genome_text(rng, pool, 1 + int(rng.below(6)), true), pool);
      INFO(to_text(genome));
      CHECK(translate(genome, pool, extended) == canonical(genome, pool));
    }
  }
}

TEST_CASE("translation: the genome of a random pool is the same model in the extended one") {
  const Pool extended = extended_pool();
  Exec exec(cpu_backend());
  int moved = 0, none = 0;
  for (uint64_t round = 0; round < 300; ++round) {
    Rng rng(42, "test.translation", round);
    const Pool pool = random_pool(rng);
    const Genome genome = repair(random_genome_text(rng, pool, 1 + int(rng.below(6)), true), pool);
    INFO(to_text(genome));
    const auto found = translate(genome, pool, extended);
    none += !found;
    if (!found) continue;
    INFO(to_text(*found));
    CHECK(parse(to_text(*found), extended) == *found);
    moved += found->segments != canonical(genome, pool).segments;
    Backbone a(&exec, compile(genome, pool), kSizes, DType::f32, 7);
    Backbone b(&exec, compile(*found, extended), kSizes, DType::f32, 7);
    REQUIRE(a.parameters().size() == b.parameters().size());
    for (size_t i = 0; i < a.parameters().size(); ++i)
      CHECK(a.parameters()[i].name == b.parameters()[i].name);
    CHECK(a.cache_bytes(100) == b.cache_bytes(100));
    CHECK(logits_of(a, exec) == logits_of(b, exec));
  }
  CHECK(moved > 50);
  CHECK(none < 30);
}

TEST_CASE("translation: ids stay where they can, classes move where they must") {
  CHECK(translated("11111-x1111") == "11111-91111|1:12223");
  CHECK(translated("w1212-x1111-w1212") == "11212-91111-11212");
  CHECK(translated("w1111-11111") == "21111-11111|1:12223|2:12123");
  // GMemless has no differential variant, another class is made into it.
  CHECK(translated("x1111-y1111") == "11111-a1111|1:91142");
  CHECK(translated("z1111-x1111") == "none");
}

TEST_CASE("translation: a featurizer keeps its id before it is one that needs no override") {
  auto text = [](const char* pool_text, const char* genome) {
    const Pool pool = parse_pool(pool_text, "text");
    return to_text(translate(parse(genome, pool), pool, extended_pool()).value());
  };
  // Featurizer 2 is what 1 is by default; g is what 1 is, and no id there.
  CHECK(text("featurizer 2: q 21111, k 21111, v 21111\nclass 2 own: 22123\n", "21111") ==
        "21111|%2:21111,21111,21111");
  CHECK(text("featurizer g: q 21111, k 21111, v 21111\nclass 1 other: g2123\n", "11111") ==
        "11111");
}

TEST_CASE("checkpoint: the model of a user's pool needs no pool file") {
  const Pool pool = parse_pool(kUserPool, "text");
  Exec exec(cpu_backend());
  TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  for (const char* text : {"w1212-y1111-w1212|w:12233", "z1212-y1111-z1212-11111|z:g2133"}) {
    const Genome genome = canonical(parse(text, pool), pool);
    Backbone model(&exec, compile(genome, pool), kSizes, DType::f32, 7);
    const Checkpoint about = checkpoint_of(genome, pool);
    CHECK(about.pool.empty() == (text[0] == 'w'));
    CHECK((about.genome == text) == (text[0] == 'z'));
    save_checkpoint(path, exec, model, about);
    LoadedModel loaded = load_checkpoint(path, exec);
    CHECK(loaded.about.genome == about.genome);
    CHECK(loaded.about.pool == about.pool);
    CHECK(logits_of(*loaded.model, exec) == logits_of(model, exec));
  }
}

}  // namespace star
