#include "star/genome.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/rng.h"
#include "star/repair.h"
#include "star/variation.h"

namespace star::synthesis {
namespace {

std::string message_of(const std::string& text, const Pool& pool) {
  try {
    parse(text, pool);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool mentions(const std::string& text, const std::string& words) {
  return text.find(words) != text.npos;
}

}  // namespace

TEST_CASE("genome: text and structure") {
  const Pool pool = extended_pool();
  const Genome g = parse("22212-91111-22212-911112|2:22223|%2:21111,23121,23121", pool);
  REQUIRE(g.segments.size() == 4);
  CHECK(g.segments[0] == Segment{'2', 2, 2, 1, 2, false});
  CHECK(g.segments[3] == Segment{'9', 1, 1, 1, 1, true});
  CHECK(g.operators == std::vector<ClassOverride>{{'2', {{2, 2, 2, 2, 3}}}});
  REQUIRE(g.featurizers.size() == 1);
  CHECK(g.featurizers[0].groups[2] == Digits{2, 3, 1, 2, 1});
  CHECK(to_text(g) == "22212-91111-22212-911112|2:22223|%2:21111,23121,23121");
  CHECK(to_text(parse("11111-111111", pool)) == "11111-11111");
}

TEST_CASE("genome: strategies") {
  CHECK(strategies(3) == 8);
  CHECK(strategies(5) == 32);
  CHECK(strategies(0) == 1);
  // Over n things the strategies are the subsets, each once.
  for (size_t n = 1; n <= 5; ++n) {
    std::set<unsigned> masks;
    for (int s = 1; s <= strategies(n); ++s) {
      masks.insert(strategy_mask(s, n));
      CHECK(strategy_mask(s, n) < 1u << n);
    }
    CHECK(masks.size() == 1u << n);
  }
  CHECK(strategy_mask(3, 3) == 1);
}

TEST_CASE("genome: errors name the segment and the digit") {
  const Pool pool = paper_pool();
  struct Case {
    const char *text, *words;
    bool readable;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"", "segment 1, digit 1: missing", false},
           {"11111-", "segment 2, digit 1: missing", false},
           {"11111-1111", "segment 2, digit 5: missing", false},
           {"1111111", "segment 1, digit 7: one too many", false},
           {"11111-11A11", "segment 2, digit 3: 'A'", false},
           {"11111-11 11", "segment 2, digit 3: byte 0x20", false},
           {"11111-11é11", "segment 2, digit 3: byte 0xc3", false},
           {"@linear", "segment 1, digit 1: '@'", false},
           {"11111-i1111", "segment 2, digit 1: class i", true},
           {"11111-01111", "segment 2, digit 1: class 0", true},
           {"11111-1a111", "segment 2, digit 2: group a", true},
           {"11111-11911", "segment 2, digit 3: strategy 9, must be 1 to 8", true},
           {"11111-11101", "segment 2, digit 4: group 0", true},
           {"11111-11115", "segment 2, digit 5: strategy 5, must be 1 to 4", true},
           {"11111-111113", "segment 2, digit 6: composition 3", true},
           {"111112-11111", "segment 1, digit 6: no LIV", true},
           {"11211-11111", "segment 1, digit 3: strategy 2 shares with no other", true},
           {"11112-21112", "segment 1, digit 5: strategy 2 shares with no other", true},
           {"11211-11311", "segment 2, digit 3: strategy 3, must be 2 as in segment 1", true},
           {"11111|2", "override 1: must be", false},
           {"11111|", "override 1: must be", false},
           {"11111|22:12123", "override 1: must be", false},
           {"11111|2:1212", "override 1, digit 5: missing", false},
           {"11111|2:12-23", "override 1, digit 3: '-'", false},
           {"11111|2:12423", "override 1, digit 3: value 4, must be 1 to 2", true},
           {"11111|2:z2123", "override 1, digit 1: featurizer z", true},
           {"11111|i:12123", "override 1: class i", true},
           {"11111|a:12123", "class a is differential and follows class 1", true},
           {"11111|2:12123|2:12123", "override 2: class 2 has an override already", true},
           {"11111|%1:21111,21111", "2 groups, featurizer 1 has 3", false},
           {"11111|%1:21111,2111,21111", "override 1, group 2, digit 5: missing", false},
           {"11111|%1:21111,28111,21111", "override 1, group 2, digit 2: value 8", true},
           {"11111|%z:21111", "featurizer z is not in the pool", true},
           {"11111|1:13123", "class 1 as overridden: ", true},
           {"11111|%1:31111,21111,21111", "class 1 as overridden: q: one value a head", true},
       }) {
    const GenomeCheck result = check(c.text, pool);
    CAPTURE(c.text);
    REQUIRE_FALSE(result.valid());
    CAPTURE(result.errors[0]);
    CHECK(mentions(result.errors[0], c.words));
    CHECK(result.readable == c.readable);
    CHECK(mentions(message_of(c.text, pool), c.words));
    CHECK(mentions(message_of(c.text, pool), "star genome repair"));
  }
}

TEST_CASE("genome: check lists every bad digit") {
  Rng rng(2, "test.genome");
  const Pool pool = paper_pool();
  for (int round = 0; round < 300; ++round) {
    Genome genome = random_genome(rng, pool, 6);
    for (Segment& s : genome.segments) s.parallel = false;
    std::string text = to_text(genome);
    REQUIRE(text.size() == 35);  // segments of five: digits stand at 6 s + i
    std::set<std::string> places;
    for (int k = 0; k < 4; ++k) {
      const size_t s = rng.below(6), i = rng.below(5);
      text[6 * s + i] = '0';
      places.insert(fmt::format("segment {}, digit {}:", s + 1, i + 1));
    }
    const GenomeCheck result = check(text, pool);
    CHECK(result.readable);
    std::set<std::string> found;
    for (const std::string& e : result.errors) found.insert(e.substr(0, e.find(':') + 1));
    CAPTURE(text);
    CHECK(std::includes(found.begin(), found.end(), places.begin(), places.end()));
  }
}

TEST_CASE("genome: text from outside is read or refused, whatever it is") {
  Rng rng(31, "test.genome");
  const Pool pool = paper_pool();
  const std::string letters = "0123456789abchz-|:%,@A \n\xff";
  int valid = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = rng.chance(0.5) ? "21111-91111|2:22223|%2:21111,23121,23121" : "";
    for (int n = int(rng.below(8)); n > 0; --n) {
      const size_t at = rng.below(uint32_t(text.size() + 1));
      if (at < text.size() && rng.chance(0.5)) text.erase(at, 1);
      text.insert(std::min(at, text.size()), 1, letters[rng.below(uint32_t(letters.size()))]);
    }
    CAPTURE(text);
    const GenomeCheck result = check(text, pool);
    CHECK((result.readable || !result.valid()));
    CHECK(message_of(text, pool).empty() == result.valid());
    CHECK(message_of(text, pool).find('\n') == std::string::npos);
    ++(result.valid() ? valid : refused);
    if (result.valid()) CHECK(to_text(repair(text, pool)) == to_text(parse(text, pool)));
  }
  CHECK(valid > 100);
  CHECK(refused > 1000);
}

TEST_CASE("genome: canonical text does not depend on the names of groups") {
  Rng rng(3, "test.genome");
  const Pool pool = extended_pool();
  for (int round = 0; round < 500; ++round) {
    // Few classes and groups, so that much is shared.
    Pool small = pool;
    small.classes.erase(small.classes.begin() + 3, small.classes.end());
    const Genome genome = random_genome(rng, small, 1 + int(rng.below(20)));
    const std::string text = to_text(genome);
    CHECK(to_text(canonical(parse(text, pool), pool)) == text);
    std::vector<int> names = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    rng.shuffle(names);
    Genome renamed = genome;
    for (Segment& s : renamed.segments) {
      s.weight_group =
          s.weight_strategy == 1 ? 1 + int(rng.below(9)) : names[size_t(s.weight_group - 1)];
      s.feature_group = names[size_t(s.feature_group - 1)];
    }
    CHECK(check(to_text(renamed), pool).valid());
    CHECK(to_text(canonical(renamed, pool)) == text);
  }
}

TEST_CASE("genome: groups are numbered within a class, apart for weights and features") {
  const Pool pool = paper_pool();
  auto canon = [&](const char* text) { return to_text(canonical(parse(text, pool), pool)); };
  CHECK(canon("17211-27211-15211-17211-27211-15211") == "11211-21211-12211-11211-21211-12211");
  CHECK(canon("17293-15211-15214-17293-17214") == "11213-12211-12224-11213-11224");
  CHECK(canon("18181-14141-91161") == "11111-11111-91111");
}

TEST_CASE("genome: overrides that change nothing are left out, the others are ordered") {
  const Pool pool = paper_pool();
  auto canon = [&](const char* text) { return to_text(canonical(parse(text, pool), pool)); };
  CHECK(canon("21111-91111|2:22123") == "21111-91111");
  CHECK(canon("21111-91111|3:32223") == "21111-91111");
  CHECK(canon("21111-91111|%2:23111,23111,23111") == "21111-91111");
  CHECK(canon("21111-91111|%3:23111,23111,23111") == "21111-91111");
  CHECK(canon("b1111-91111|2:22223") == "b1111-91111|2:22223");
  CHECK(canon("21111-91111|9:91132|2:22223|%9:21211,21211|%2:21111,23121,23121") ==
        "21111-91111|2:22223|9:91132|%2:21111,23121,23121|%9:21211,21211");
  // The override of class 2 brings featurizer 3 into force.
  CHECK(canon("21111-91111|2:32123|%3:21111,21121,21121") ==
        "21111-91111|2:32123|%3:21111,21121,21121");
}

TEST_CASE("genome: overrides change what can be shared") {
  const Pool pool = extended_pool();
  CHECK(check("11811-11811", pool).valid());
  CHECK(mentions(message_of("11911-11911", pool), "strategy 9, must be 1 to 8"));
  CHECK(check("11911-11911|1:b4113", pool).valid());
  CHECK(check("a1w11-a1w11|1:c4113", pool).valid());
  CHECK(mentions(message_of("a1x11-a1x11|1:c4113", pool), "strategy x, must be 1 to w"));
}

TEST_CASE("genome: named genomes") {
  const Pool pool = extended_pool();
  CHECK(to_text(named_genome("@transformer:5")) == "11111-91111-11111-91111-11111");
  CHECK(to_text(named_genome("@mamba:3")) == "51111-91111-51111");
  CHECK(to_text(named_genome("@conv:2")) == "71111-91111");
  CHECK(to_text(named_genome("@linear:1")) == "i1111");
  auto classes = [](const Genome& g) {
    std::string ids;
    for (const Segment& s : g.segments) ids += s.liv;
    return ids;
  };
  CHECK(classes(named_genome("@hybrid:18")) == "595959195959591959");
  CHECK(classes(named_genome("@lfm2:14")) == "79794979794979");
  for (const std::string& name : genome_names()) {
    const Genome genome = named_genome(name);
    CHECK(genome.segments.size() == 8);
    CHECK(parse(to_text(genome), pool) == genome);
    CHECK(canonical(genome, pool) == genome);
    CHECK(resolve(name, paper_pool()) == genome);
  }
  for (const char* bad :
       {"@", "@transformers", "@transformer:", "@transformer:0", "@transformer:-1",
        "@transformer:8x", "@transformer:1001", "@conv:99999999999999999999"}) {
    const bool named = std::string_view(bad).find(':') != std::string_view::npos;
    const char* words = named ? "genome: the depth of @" : "is not one of @transformer";
    CHECK_THROWS_WITH_AS(resolve(bad, pool), doctest::Contains(words), Error);
  }
  CHECK(to_text(resolve("11111-91111", paper_pool())) == "11111-91111");
  // A name means the classes of the program: those of a pool must be these, where it has them.
  Pool other = paper_pool();
  other.classes[0].op.digits[2] = 2;
  CHECK_THROWS_WITH_AS(resolve("@transformer:2", other),
                       doctest::Contains("class 1 of this pool is not the SA-1 that is meant"),
                       Error);
  CHECK(resolve("@mamba:2", other) == named_genome("@mamba:2"));
  CHECK_THROWS_WITH_AS(resolve("i1111", paper_pool()),
                       doctest::Contains("class i is not in the pool"), Error);
}

TEST_CASE("genome: the named designs that a pool can write, each once") {
  const auto classes = [](const Pool& pool, int depth) {
    std::vector<std::string> all;
    for (const auto& [name, genome] : named_designs(pool, depth)) {
      all.emplace_back();
      for (const Segment& s : genome.segments) all.back() += s.liv;
      CHECK(check(to_text(genome), pool).valid());
      CHECK(genome == named_genome(at_depth(name, depth)));
    }
    return all;
  };
  using Texts = std::vector<std::string>;
  CHECK(classes(extended_pool(), 4) == Texts{"1919", "5959", "7979", "i9i9"});
  CHECK(classes(paper_pool(), 6) == Texts{"191919", "595959", "797979", "797949"});
  CHECK(classes(paper_pool(), 8).size() == 5);
  CHECK(classes(paper_pool(), 1) == Texts{"1", "5", "7"});
  // A class that is another, or is not there.
  Pool other = paper_pool();
  other.classes[0].op.digits[2] = 2;
  CHECK(classes(other, 8) == Texts{"59595959", "79797979", "79794979"});
  std::erase_if(other.classes, [](const LivClass& c) { return c.id == '9'; });
  CHECK(classes(other, 8).empty());
  CHECK(classes(other, 1) == Texts{"5", "7"});
}

}  // namespace star::synthesis
