#include "liv/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "core/error.h"
#include "core/rng.h"

namespace star {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

Digits digits_of(std::string_view text) {
  Digits digits{};
  for (size_t i = 0; i < 5; ++i) digits[i] = base36_value(text[i]);
  return digits;
}

// A group as "name digits".
std::vector<FeatureGroup> groups_of(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::vector<FeatureGroup> groups;
  for (auto& [name, digits] : rows) groups.push_back({name, digits_of(digits)});
  return groups;
}

bool legal(const char* op, const std::vector<FeatureGroup>& groups) {
  return check_operator({digits_of(op)}, groups).empty();
}

// The tables of liv/README.md and star/README.md, by class.
struct Row {
  char id;
  const char *name, *op, *weights, *features;
};
constexpr Row kTable[] = {
    {'1', "SA-1", "12123", "q k v", "k v"},
    {'2', "SA-2", "22123", "q k v", "k v"},
    {'3', "SA-3", "32123", "q k v", "k v"},
    {'4', "SA-4", "42123", "q k v", "k v"},
    {'5', "Rec-1", "54111", "v z dt B C", "B C dt"},
    {'6', "Rec-2", "64111", "a v z", "a"},
    {'7', "GConv-1", "73111", "B C v kernel", "B C"},
    {'8', "GConv-2", "83111", "B C v filter", "B C"},
    {'9', "GMemless", "91142", "gate v", "gate"},
    {'i', "LA-1", "a2153", "q k v", "k v"},
    {'j', "SWA-1", "12223", "q k v", "k v"},
    {'k', "Rec-3", "b4113", "q k v z dt", "k v dt"},
    {'l', "Rec-4", "c4113", "q k v z dt", "k v dt"},
};

}  // namespace

TEST_CASE("pool: the classes, their operators and what they share are those of the tables") {
  const Pool pool = extended_pool();
  CHECK(pool.classes.size() == 25);
  const std::string differential = "abcdefghmnop";
  size_t next = 0;
  for (const Row& row : kTable) {
    const LivClass* c = pool.find(row.id);
    REQUIRE(c);
    CHECK(c->name == row.name);
    CHECK(digits_text(c->op.digits) == row.op);
    CHECK(joined(c->shareable_weights) == row.weights);
    CHECK(joined(c->shareable_features) == row.features);
    CHECK(!c->differential);
    CHECK(c->base == row.id);
    CHECK(joined(check_operator(c->op, c->groups)) == "");
    if (row.id == '9') continue;
    const LivClass* d = pool.find(differential[next++]);
    REQUIRE(d);
    CHECK(d->name == std::string("D-") + row.name);
    CHECK(d->differential);
    CHECK(d->base == row.id);
    CHECK(d->op == c->op);
    CHECK(d->groups == c->groups);
    CHECK(d->shareable_features == c->shareable_features);
  }
  CHECK(pool.find('q') == nullptr);
}

TEST_CASE("pool: the paper's is the first 17 classes of the extended one") {
  const Pool paper = paper_pool(), extended = extended_pool();
  REQUIRE(paper.classes.size() == 17);
  for (size_t i = 0; i < 17; ++i) CHECK(paper.classes[i] == extended.classes[i]);
}

TEST_CASE("pool: a class follows its featurizer, a differential class its base") {
  Pool pool = paper_pool();
  for (LivClass& c : pool.classes) {
    if (c.id == '2') c.op.digits = digits_of("92142");
  }
  pool.featurizers[8].groups[0].digits[4] = 4;
  derive(pool);
  CHECK(pool.find('b')->op == pool.find('2')->op);
  CHECK(pool.find('b')->groups == pool.find('9')->groups);
  CHECK(joined(pool.find('b')->shareable_weights) == "gate v");
  CHECK(pool.find('2')->groups[0].nonlinearity() == 4);
  pool.classes[0].op.digits[0] = base36_value('z');
  CHECK_THROWS_AS(derive(pool), Error);
}

TEST_CASE("pool: base 36") {
  for (int c = 0; c < 256; ++c) {
    const std::string digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    const size_t at = digits.find(char(c));
    CHECK(base36_value(char(c)) == (at == digits.npos ? -1 : int(at)));
  }
  for (int x = 0; x < 36; ++x) CHECK(base36_value(base36_digit(x)) == x);
  CHECK_THROWS_AS(base36_digit(36), Error);
}

TEST_CASE("pool: expansions") {
  const double factors[] = {1, 2, 4, 8.0 / 3, 16, 0.5};
  for (int width = 1; width < 400; ++width) {
    for (int digit = 1; digit <= 6; ++digit) {
      int expected = int(std::ceil(factors[digit - 1] * width - 1e-9));
      if (digit == 4) expected = (expected + 7) / 8 * 8;
      CHECK(expand(digit, width) == expected);
    }
  }
  CHECK(repeats(1) == 1);
  CHECK(repeats(2) == 2);
  CHECK(repeats(3) == 4);
  CHECK_THROWS_AS(expand(7, 8), Error);
  CHECK_THROWS_AS(repeats(0), Error);
}

TEST_CASE("pool: rotary positions and scale") {
  const Pool pool = extended_pool();
  std::string with_rotary, with_scale;
  for (const LivClass& c : pool.classes) {
    if (rotary(c.op)) with_rotary += c.id;
    if (scaled(c.op)) with_scale += c.id;
  }
  CHECK(with_rotary == "1234abcdjn");
  CHECK(with_scale == "1234abcdjklnop");
}

TEST_CASE("pool: what the roles require, allow and refuse") {
  const auto qkv = groups_of({{"q", "21111"}, {"k", "21111"}, {"v", "21111"}});
  for (const char* op : {"12113", "12123", "12133", "12143", "12213", "12243"})
    CHECK(legal(op, qkv));
  for (const char* op : {"12153", "12121", "12122", "13111", "14113", "11142"}) {
    CHECK_FALSE(legal(op, qkv));
  }
  const auto positive = groups_of({{"C", "21117"}, {"B", "21117"}, {"v", "21111"}});
  CHECK(legal("12153", positive));
  CHECK_FALSE(legal("12253", positive));
  // Gated attention; a gate that nothing uses; no values; two that read.
  CHECK(
      legal("12123", groups_of({{"q", "21111"}, {"k", "21111"}, {"v", "21111"}, {"z", "21114"}})));
  CHECK_FALSE(legal(
      "12123", groups_of({{"q", "21111"}, {"k", "21111"}, {"v", "21111"}, {"gate", "21111"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21111"}, {"k", "21111"}})));
  CHECK_FALSE(
      legal("12123", groups_of({{"q", "21111"}, {"C", "21111"}, {"k", "21111"}, {"v", "21111"}})));
  CHECK_FALSE(
      legal("12123", groups_of({{"q", "21111"}, {"k", "21111"}, {"v", "21111"}, {"v", "21111"}})));
  CHECK_FALSE(
      legal("12123", groups_of({{"q", "21111"}, {"k", "21111"}, {"v", "21111"}, {"w", "21111"}})));
  CHECK_FALSE(legal("12123", groups_of({{"k", "21111"}, {"v", "21111"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21111"}, {"v", "21111"}})));
  // Keys and values repeat together, queries never.
  CHECK(legal("12123", groups_of({{"q", "21111"}, {"k", "21121"}, {"v", "21121"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21111"}, {"k", "21121"}, {"v", "21131"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21121"}, {"k", "21121"}, {"v", "21121"}})));
  // Widths: the expansion of v, which divides into heads.
  CHECK(legal("12123", groups_of({{"q", "21211"}, {"k", "21211"}, {"v", "21211"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21111"}, {"k", "21211"}, {"v", "21211"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21411"}, {"k", "21411"}, {"v", "21411"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "11211"}, {"k", "21211"}, {"v", "21211"}})));
  // Token mixing of a featurizer; one value a head.
  CHECK_FALSE(legal("12123", groups_of({{"q", "22111"}, {"k", "21111"}, {"v", "21111"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "21111"}, {"k", "24111"}, {"v", "21111"}})));
  CHECK_FALSE(legal("12123", groups_of({{"q", "31111"}, {"k", "21111"}, {"v", "21111"}})));
}

TEST_CASE("pool: refusals of recurrences, convolutions and gates") {
  auto state = [](const char* dt, const char* b, const char* c) {
    return groups_of({{"v", "21111"}, {"dt", dt}, {"B", b}, {"C", c}});
  };
  CHECK(legal("54111", state("41115", "21511", "21511")));
  CHECK(legal("54111", state("11115", "41311", "21311")));
  CHECK_FALSE(legal("54111", state("41114", "21511", "21511")));
  CHECK_FALSE(legal("54111", state("31115", "21511", "21511")));
  CHECK_FALSE(legal("54111", state("41115", "21511", "21311")));
  CHECK_FALSE(legal("54111", state("41115", "21411", "21411")));
  CHECK_FALSE(legal("54111", state("41115", "11111", "11111")));
  CHECK_FALSE(legal("54113", state("41115", "21111", "21111")));
  CHECK(legal("54113", state("31115", "21111", "21111")));
  CHECK_FALSE(legal("54112", state("31115", "21111", "21111")));
  CHECK_FALSE(legal("54112", state("21115", "21111", "21111")));
  CHECK_FALSE(legal("54123", state("31115", "21111", "21111")));
  CHECK_FALSE(legal("54213", state("31115", "21111", "21111")));
  CHECK_FALSE(legal("54111", groups_of({{"v", "21111"}, {"B", "21111"}, {"C", "21111"}})));

  CHECK(legal("64111", groups_of({{"a", "21119"}, {"v", "21111"}})));
  CHECK_FALSE(legal("64111", groups_of({{"a", "21111"}, {"v", "21111"}})));
  CHECK_FALSE(legal("64113", groups_of({{"a", "21119"}, {"v", "21111"}})));
  CHECK_FALSE(legal("64111", groups_of({{"a", "21119"}, {"v", "21111"}, {"k", "21111"}})));

  auto delta = [](const char* k, const char* beta) {
    return groups_of({{"q", "21111"}, {"k", k}, {"v", "21111"}, {"dt", "31115"}, {"beta", beta}});
  };
  CHECK(legal("c4113", delta("21118", "31116")));
  CHECK_FALSE(legal("c4113", delta("21111", "31119")));
  CHECK_FALSE(legal("c4113", delta("21118", "31115")));
  CHECK_FALSE(legal("c4113", delta("21118", "21119")));

  auto convolution = [](const char* name, const char* kernel) {
    return groups_of({{"B", "21111"}, {"C", "21111"}, {"v", "21111"}, {name, kernel}});
  };
  CHECK(legal("73111", convolution("kernel", "13111")));
  CHECK(legal("83111", convolution("filter", "14111")));
  CHECK_FALSE(legal("73111", convolution("kernel", "14111")));
  CHECK_FALSE(legal("83111", convolution("filter", "13111")));
  CHECK_FALSE(legal("73111", convolution("kernel", "23111")));
  CHECK_FALSE(legal("73111", convolution("kernel", "13112")));
  CHECK_FALSE(legal("73113", convolution("kernel", "13111")));
  CHECK_FALSE(legal("73211", convolution("kernel", "13111")));

  const auto gated = groups_of({{"gate", "41611"}, {"v", "21611"}});
  CHECK(legal("91112", gated));
  CHECK(legal("91132", gated));
  CHECK_FALSE(legal("91122", gated));
  CHECK_FALSE(legal("91152", gated));
  CHECK_FALSE(legal("91143", gated));
  CHECK_FALSE(legal("91242", gated));
  CHECK_FALSE(legal("91141", gated));
  CHECK_FALSE(legal("91142", groups_of({{"gate", "21411"}})));
  CHECK_FALSE(legal("91142", groups_of({{"v", "21411"}})));
  CHECK_FALSE(legal("91142", groups_of({{"gate", "21418"}, {"v", "21411"}})));
}

TEST_CASE("pool: digits out of range are reasons, whatever they are") {
  Rng rng(1, "test.pool");
  const Pool pool = extended_pool();
  for (int i = 0; i < 2000; ++i) {
    const LivClass& c = pool.classes[rng.below(25)];
    OperatorGenome op = c.op;
    std::vector<FeatureGroup> groups = c.groups;
    const size_t g = rng.below(uint32_t(groups.size())), at = rng.below(5);
    const int wild = int(rng.below(80)) - 40;
    if (rng.chance(0.5)) {
      op.digits[at] = wild;
      CHECK_FALSE((check_operator(op, groups).empty() && (wild < 1 || wild > kOperatorLimits[at])));
    } else {
      groups[g].digits[at] = wild;
      CHECK_FALSE((check_operator(op, groups).empty() && (wild < 1 || wild > kGroupLimits[at])));
    }
  }
}

}  // namespace star
