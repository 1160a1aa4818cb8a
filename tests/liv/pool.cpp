#include "liv/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "core/error.h"
#include "liv/legality.h"

namespace star::liv {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

Digits digits_of(std::string_view text) {
  Digits digits{};
  for (size_t i = 0; i < 5; ++i) digits[i] = base36_value(text[i]);
  return digits;
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
    {'q', "Rec-5", "d4113", "q k v z a", "k v a"},
    {'r', "Rec-6", "e4113", "q k v z a", "k v a"},
};

}  // namespace

TEST_CASE("pool: the classes, their operators and what they share are those of the tables") {
  const Pool pool = extended_pool();
  CHECK(pool.classes.size() == 29);
  const std::string differential = "abcdefghmnopst";
  size_t next = 0;
  for (const Row& row : kTable) {
    const LivClass* c = pool.find(row.id);
    REQUIRE(c);
    CHECK(c->name == row.name);
    CHECK(digits_text(c->op.digits) == row.op);
    CHECK(joined(texts_of(c->shareable_weights)) == row.weights);
    CHECK(joined(texts_of(c->shareable_features)) == row.features);
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
  CHECK(pool.find('u') == nullptr);
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
  CHECK(joined(texts_of(pool.find('b')->shareable_weights)) == "gate v");
  CHECK(pool.find('2')->groups[0].activation() == Activation::silu);
  pool.classes[0].op.digits[0] = base36_value('z');
  CHECK_THROWS_WITH_AS(derive(pool), doctest::Contains("class 1 names the unknown featurizer z"),
                       Error);
}

TEST_CASE("pool: base 36") {
  for (int c = 0; c < 256; ++c) {
    const std::string digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    const size_t at = digits.find(char(c));
    CHECK(base36_value(char(c)) == (at == digits.npos ? -1 : int(at)));
  }
  for (int x = 0; x < 36; ++x) CHECK(base36_value(base36_digit(x)) == x);
  CHECK_THROWS_WITH_AS(base36_digit(36), doctest::Contains("no digit for the value 36"), Error);
}

TEST_CASE("pool: expansions") {
  const double factors[] = {1, 2, 4, 8.0 / 3, 16, 0.5};
  for (int width = 1; width < 400; ++width) {
    for (int digit = 1; digit <= 6; ++digit) {
      int expected = int(std::ceil(factors[digit - 1] * width - 1e-9));
      if (digit == 4) expected = (expected + 7) / 8 * 8;
      CHECK(expand(Expansion(digit), width) == expected);
    }
  }
  CHECK(repeats(1) == 1);
  CHECK(repeats(2) == 2);
  CHECK(repeats(3) == 4);
  CHECK_THROWS_WITH_AS(expand(Expansion(7), 8), doctest::Contains("expansion 7"), Error);
  CHECK_THROWS_WITH_AS(repeats(0), doctest::Contains("repeat 0"), Error);
}

TEST_CASE("pool: rotary positions and scale") {
  const Pool pool = extended_pool();
  std::string with_rotary, with_scale;
  for (const LivClass& c : pool.classes) {
    if (rotary(c.op)) with_rotary += c.id;
    if (scaled(c.op)) with_scale += c.id;
  }
  CHECK(with_rotary == "1234abcdjn");
  CHECK(with_scale == "1234abcdjklnopqrst");
}

TEST_CASE("pool: beta goes with the transition that its class has, every other role with itself") {
  for (const LivClass& c : extended_pool().classes)
    for (const FeatureGroup& g : c.groups) {
      const Role with = shared_with(c.groups, g.role);
      INFO(c.name << " " << text_of(g.role));
      if (g.role == Role::beta)
        CHECK(with == (std::string("lp").find(c.id) != std::string::npos ? Role::dt : Role::a));
      else
        CHECK(with == g.role);
    }
}

TEST_CASE("pool: taps of convolutions, and what has a bias") {
  std::string taps, biased;
  for (int digit = 1; digit <= kGroupLimits[1]; ++digit)
    taps += fmt::format("{} ", taps_of(Along(digit)));
  for (int digit = 1; digit <= kGroupLimits[4]; ++digit)
    if (has_bias(Activation(digit))) biased += base36_digit(digit);
  CHECK(taps == "0 0 3 0 4 7 15 ");
  CHECK(biased == "56b");
}

}  // namespace star::liv
