#include "star/variation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "star/draft.h"
#include "star/repair.h"

namespace star {
namespace {

// Segments that need no repair wherever they stand: each of one class, unshared.
Genome plain_genome(const std::string& classes) {
  Genome genome;
  for (char id : classes) genome.segments.push_back({id, 1, 1, 1, 1, false});
  return genome;
}

std::string classes_of(const Genome& genome) {
  std::string ids;
  for (const Segment& s : genome.segments) ids += s.liv;
  return ids;
}

bool is_valid_canonical(const Genome& genome, const Pool& pool) {
  return check(to_text(genome), pool).valid() && canonical(genome, pool) == genome;
}

}  // namespace

TEST_CASE("variation: children are valid and canonical, of legal depth, and repeatable") {
  const Pool pool = extended_pool();
  VariationConfig config;
  config.min_depth = 3;
  config.max_depth = 10;
  config.operators = config.featurizers = true;
  std::set<int> depths;
  int overridden = 0;
  Genome other = named_genome("@hybrid:6");
  for (uint64_t round = 0; round < 300; ++round) {
    Rng rng(13, "test.variation", round), again(13, "test.variation", round);
    const Genome genome = random_genome(rng, pool, config);
    const Genome child = mutate(rng, crossover(rng, genome, other, pool, config), pool, config);
    CHECK(is_valid_canonical(genome, pool));
    CHECK(is_valid_canonical(child, pool));
    CHECK(child.segments.size() >= 3);
    CHECK(child.segments.size() <= 10);
    depths.insert(int(child.segments.size()));
    overridden += child.has_overrides();
    CHECK(random_genome(again, pool, config) == genome);
    CHECK(mutate(again, crossover(again, genome, other, pool, config), pool, config) == child);
    if (round % 2) other = child;
  }
  CHECK(depths.size() == 8);
  CHECK(overridden > 20);
}

TEST_CASE("variation: a crossover of k cuts takes pieces in turn, each in its place") {
  const Pool pool = extended_pool();
  const Genome a = plain_genome("12341234"), b = plain_genome("56785678");
  Rng rng(14, "test.variation");
  for (int cuts = 1; cuts <= 9; ++cuts) {
    VariationConfig config;
    config.cuts = cuts;
    std::map<std::string, int> patterns;
    for (int round = 0; round < 400; ++round) {
      const std::string child = classes_of(crossover(rng, a, b, pool, config));
      std::string pattern;
      int changes = 0;
      REQUIRE(child.size() == 8);
      for (size_t i = 0; i < 8; ++i) {
        const bool of_a = child[i] == "12341234"[i];
        CHECK((of_a || child[i] == "56785678"[i]));
        pattern += of_a ? 'a' : 'b';
        changes += i > 0 && pattern[i] != pattern[i - 1];
      }
      CHECK(changes == std::min(cuts, 7));
      CHECK(pattern[0] == 'a');
      ++patterns[pattern];
    }
    // 7 boundaries: every choice of them occurs, 35 at most.
    const int choices[] = {7, 21, 35, 35, 21, 7, 1, 1, 1};
    CHECK(int(patterns.size()) == choices[cuts - 1]);
  }
}

TEST_CASE("variation: parents of other depths; depth one") {
  const Pool pool = extended_pool();
  VariationConfig config;
  Rng rng(15, "test.variation");
  for (int round = 0; round < 100; ++round) {
    const Genome a = plain_genome("111111"), b = plain_genome("555");
    const std::string child = classes_of(crossover(rng, a, b, pool, config));
    CHECK(child == "151111");
    const std::string other = classes_of(crossover(rng, b, a, pool, config));
    CHECK(other == "515");
    CHECK(crossover(rng, plain_genome("1"), b, pool, config) == plain_genome("1"));
  }
}

TEST_CASE("variation: overrides cross whole") {
  const Pool pool = paper_pool();
  const Genome a = parse("11111-21111|1:12223|2:22213|%1:23111,21111,21111", pool);
  const Genome b = parse("11111-21111|1:12133|%1:21111,23111,21111", pool);
  VariationConfig config;
  Rng rng(16, "test.variation");
  std::set<std::string> children;
  for (int round = 0; round < 200; ++round)
    children.insert(to_text(crossover(rng, a, b, pool, config)));
  std::set<std::string> expected;
  for (const char* one : {"|1:12223", "|1:12133"}) {
    for (const char* two : {"|2:22213", ""}) {
      for (const char* featurizer : {"|%1:23111,21111,21111", "|%1:21111,23111,21111"})
        expected.insert(std::string("11111-21111") + one + two + featurizer);
    }
  }
  CHECK(children == expected);
}

TEST_CASE("variation: mutation draws each digit at its rate") {
  const Pool pool = paper_pool();
  VariationConfig config;
  config.min_depth = config.max_depth = 200;
  Rng rng(17, "test.variation");
  config.rate = 0;
  const Genome genome = random_genome(rng, pool, config);
  CHECK(mutate(rng, genome, pool, config) == genome);
  config.rate = 0.1;
  // GMemless alone, half of all: another class of share p is drawn with p / 0.5, and accepted with
  // 0.5 / (1 − p); of the composition, one in nine.
  double others = 0;
  const ClassShares shares(pool);
  for (const LivClass& c : pool.classes)
    if (c.id != '9') others += shares.share(c.id) / (1 - shares.share(c.id));
  const Genome plain = plain_genome(std::string(200, '9'));
  int classes = 0, parallel = 0, total = 0;
  for (int round = 0; round < 50; ++round) {
    for (const Segment& s : mutate(rng, plain, pool, config).segments) {
      classes += s.liv != '9';
      parallel += s.parallel;
      ++total;
    }
  }
  // Within five standard deviations of 10 000 draws.
  CHECK(std::abs(double(classes) / total - 0.1 * others) < 0.011);
  CHECK(std::abs(double(parallel) / total - 0.1 / 9) < 0.005);
}

TEST_CASE("variation: mutation reaches every digit of every level") {
  const Pool pool = extended_pool();
  VariationConfig config;
  config.operators = config.featurizers = true;
  config.rate = 0.3;
  // Many of one class: sharing nothing, so that strategies come from mutation alone, or all, so
  // that a group that changes leaves another one behind.
  const Genome apart = plain_genome("11111111111");
  Genome shared = apart;
  for (Segment& s : shared.segments) s.weight_strategy = s.feature_strategy = 2;
  config.min_depth = config.max_depth = int(apart.segments.size());
  std::set<size_t> of_operators, of_groups, of_apart, of_shared;
  int other_mixings = 0;
  auto differ = [](const auto& a, const auto& b, std::set<size_t>& places) {
    for (size_t i = 0; i < a.size(); ++i)
      if (a[i] != b[i]) places.insert(i);
  };
  auto digits = [](const Segment& s) {
    return std::array<int, 6>{s.liv,           s.weight_group,     s.weight_strategy,
                              s.feature_group, s.feature_strategy, s.parallel};
  };
  for (uint64_t round = 0; round < 400; ++round) {
    Rng rng(22, "test.variation", round);
    const bool sharing = round % 2;
    const Genome& start = sharing ? shared : apart;
    const Genome child = mutate(rng, start, pool, config);
    for (const ClassOverride& o : child.operators) {
      differ(o.op.digits, pool.find(o.liv)->op.digits, of_operators);
      other_mixings += o.op.mixing() != pool.find(o.liv)->op.mixing();
    }
    for (const FeaturizerOverride& o : child.featurizers)
      for (size_t g = 0; g < o.groups.size(); ++g)
        differ(o.groups[g], pool.find_featurizer(o.id)->groups[g].digits, of_groups);
    for (size_t l = 0; l < child.segments.size(); ++l)
      differ(digits(child.segments[l]), digits(start.segments[l]), sharing ? of_shared : of_apart);
  }
  CHECK(of_operators == std::set<size_t>{0, 1, 2, 3, 4});
  CHECK(of_groups == std::set<size_t>{0, 1, 2, 3, 4});
  CHECK(other_mixings > 100);  // repair alone changes some thirty
  CHECK(of_apart.count(2) + of_apart.count(4) == 2);
  CHECK(of_shared == std::set<size_t>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("variation: segments come and go only where the depth may change") {
  const Pool pool = paper_pool();
  VariationConfig config;
  config.rate = 0.5;
  config.min_depth = 4;
  config.max_depth = 4;
  Rng rng(18, "test.variation");
  Genome genome = plain_genome("1919");
  for (int round = 0; round < 100; ++round)
    CHECK(mutate(rng, genome, pool, config).segments.size() == 4);
  config.max_depth = 5;
  std::set<size_t> depths;
  for (int round = 0; round < 100; ++round)
    depths.insert(mutate(rng, genome, pool, config).segments.size());
  CHECK(depths == std::set<size_t>{4, 5});
  config.min_depth = 3;
  for (int round = 0; round < 100; ++round)
    depths.insert(mutate(rng, genome, pool, config).segments.size());
  CHECK(depths == std::set<size_t>{3, 4, 5});
}

TEST_CASE("variation: segments come and go at any place") {
  const Pool pool = paper_pool();
  VariationConfig config;
  config.rate = 0.05;
  config.min_depth = 3;
  config.max_depth = 5;
  Rng rng(23, "test.variation");
  const std::string before = "1234";
  std::set<size_t> come, gone;
  for (int round = 0; round < 4000; ++round) {
    const std::string after = classes_of(mutate(rng, plain_genome(before), pool, config));
    for (size_t i = 0; i <= before.size(); ++i) {
      const std::string left = before.substr(0, i), right = before.substr(i);
      if (after.size() == 5 && after.starts_with(left) && after.ends_with(right) &&
          before.find(after[i]) == before.npos)
        come.insert(i);
      if (i < before.size() && after == left + right.substr(1)) gone.insert(i);
    }
  }
  CHECK(come == std::set<size_t>{0, 1, 2, 3, 4});
  CHECK(gone == std::set<size_t>{0, 1, 2, 3});
}

TEST_CASE("variation: every combination of levels evolves these, and no other") {
  const Pool pool = paper_pool();
  Rng rng(19, "test.variation");
  for (int levels = 0; levels < 8; ++levels) {
    CAPTURE(levels);
    VariationConfig config;
    config.operators = levels & 1;
    config.featurizers = levels & 2;
    config.backbone = levels & 4;
    size_t operators = 0, featurizers = 0, backbones = 0;
    const Genome start = named_genome("@hybrid"), mate = named_genome("@transformer");
    Genome genome = start;
    for (int round = 0; round < 60; ++round) {
      genome = mutate(rng, genome, pool, config);
      CHECK(is_valid_canonical(genome, pool));
      operators += genome.operators.size();
      featurizers += genome.featurizers.size();
      backbones += genome.segments != start.segments;
      const Genome child = crossover(rng, genome, mate, pool, config);
      CHECK(is_valid_canonical(child, pool));
      if (!config.backbone) CHECK(classes_of(child) == classes_of(start));
    }
    CHECK((operators > 0) == config.operators);
    CHECK((featurizers > 0) == config.featurizers);
    CHECK((backbones > 0) == config.backbone);
  }
}

TEST_CASE("variation: random genomes are valid, canonical, and use the whole pool") {
  Rng rng(6, "test.variation");
  const Pool pool = extended_pool();
  std::set<char> classes;
  int shared = 0, parallel = 0;
  for (int round = 0; round < 300; ++round) {
    const int depth = 1 + int(rng.below(30));
    const Genome genome = random_genome(rng, pool, depth);
    CHECK(int(genome.segments.size()) == depth);
    const std::string text = to_text(genome);
    CHECK(check(text, pool).valid());
    CHECK(canonical(genome, pool) == genome);
    for (const Segment& s : genome.segments) {
      classes.insert(s.liv);
      shared += s.weight_strategy != 1 && s.feature_strategy != 1;
      parallel += s.parallel;
    }
  }
  CHECK(classes.size() == pool.classes.size());
  CHECK(shared > 0);
  CHECK(parallel > 0);
  CHECK_THROWS_WITH_AS(random_genome(rng, pool, 0), doctest::Contains("depth 0"), Error);
}

TEST_CASE("variation: random genomes differ from the pool on the levels that evolve") {
  const Pool pool = extended_pool();
  for (int levels = 0; levels < 4; ++levels) {
    VariationConfig config;
    config.operators = levels & 1;
    config.featurizers = levels & 2;
    int operators = 0, featurizers = 0;
    for (uint64_t round = 0; round < 100; ++round) {
      Rng rng(20, "test.variation", round);
      const Genome genome = random_genome(rng, pool, config);
      CHECK(is_valid_canonical(genome, pool));
      operators += !genome.operators.empty();
      featurizers += !genome.featurizers.empty();
    }
    CHECK((operators > 10) == config.operators);
    CHECK((featurizers > 10) == config.featurizers);
  }
}

TEST_CASE("variation: no override of a canonical genome is idle") {
  auto blocks_of = [](const Genome& genome, const Pool& pool) {
    const Pool effective = effective_pool(genome, pool);
    std::vector<LivClass> blocks;
    for (const Segment& s : genome.segments) blocks.push_back(*effective.find(s.liv));
    return blocks;
  };
  const Pool pool = extended_pool();
  VariationConfig config;
  config.min_depth = config.max_depth = 4;
  config.operators = config.featurizers = true;
  config.rate = 0.3;
  size_t overrides = 0;
  for (uint64_t round = 0; round < 200; ++round) {
    Rng rng(21, "test.variation", round);
    const Genome genome = random_genome(rng, pool, config);
    INFO(to_text(genome));
    for (size_t i = 0; i < genome.operators.size(); ++i, ++overrides) {
      Genome without = genome;
      without.operators.erase(without.operators.begin() + long(i));
      CHECK(blocks_of(without, pool) != blocks_of(genome, pool));
    }
    for (size_t i = 0; i < genome.featurizers.size(); ++i, ++overrides) {
      Genome without = genome;
      without.featurizers.erase(without.featurizers.begin() + long(i));
      CHECK(blocks_of(without, pool) != blocks_of(genome, pool));
    }
  }
  CHECK(overrides > 200);
}

}  // namespace star
