#include "star/shares.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "liv/pool_file.h"

namespace star::synthesis {
namespace {

Pool only(const Pool& pool, std::string_view ids) {
  Pool result = pool;
  std::erase_if(result.classes, [&](const LivClass& c) { return ids.find(c.id) == ids.npos; });
  return result;
}

void check_shares(const Pool& pool, const std::map<char, double>& expected) {
  const ClassShares classes(pool);
  double sum = 0;
  for (auto& [id, share] : expected) {
    CAPTURE(id);
    CHECK(classes.share(id) == doctest::Approx(share));
    sum += share;
  }
  CHECK(sum == doctest::Approx(1));
  CHECK(expected.size() == pool.classes.size());
}

}  // namespace

TEST_CASE("shares: half channel mixers, bases alike, a quarter of each differential") {
  std::map<char, double> expected = {{'9', 0.5}};
  for (char id : {'1', '2', '3', '4', '5', '6', '7', '8'}) expected[id] = 0.5 / 8 * 0.75;
  for (char id : {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}) expected[id] = 0.5 / 8 * 0.25;
  check_shares(paper_pool(), expected);
  // One kind alone, and bases without variants.
  check_shares(only(paper_pool(), "12b"), {{'1', 0.5}, {'2', 0.375}, {'b', 0.125}});
  check_shares(only(paper_pool(), "9"), {{'9', 1}});
  check_shares(only(paper_pool(), "19"), {{'1', 0.5}, {'9', 0.5}});
  // Several variants, and several channel mixers.
  check_shares(parse_pool("featurizer 1: q 21111, k 21111, v 21111\n"
                          "featurizer 9: gate 21411, v 21411\n"
                          "class a A: 12123\nclass b B: differential of a\n"
                          "class c C: differential of a\nclass d D: 91142\nclass e E: 91132\n",
                          "test"),
               {{'a', 0.375}, {'b', 0.0625}, {'c', 0.0625}, {'d', 0.25}, {'e', 0.25}});
}

TEST_CASE("shares: drawn, and kept by mutation, which mostly changes the class") {
  const Pool pool = only(paper_pool(), "12b59");
  const ClassShares classes(pool);
  constexpr int kDraws = 40000;
  Rng rng(3, "test.shares");
  std::map<char, int> drawn, redrawn;
  int changed = 0;
  for (int i = 0; i < kDraws; ++i) {
    const char before = classes.draw(rng), after = classes.redraw(rng, before);
    ++drawn[before];
    ++redrawn[after];
    changed += before != after;
  }
  for (const LivClass& c : pool.classes) {
    CAPTURE(c.id);
    const double share = classes.share(c.id);
    const double five_sigma = 5 * std::sqrt(share * (1 - share) / kDraws);
    CHECK(std::abs(double(drawn[c.id]) / kDraws - share) < five_sigma);
    CHECK(std::abs(double(redrawn[c.id]) / kDraws - share) < five_sigma);
  }
  // Drawn anew from the shares, 1 − Σp² = 0.68 would be others.
  CHECK(changed > 0.75 * kDraws);
  CHECK(ClassShares(only(pool, "5")).redraw(rng, '5') == '5');
  const ClassShares two(only(pool, "59"));
  for (int i = 0; i < 20; ++i) CHECK(two.redraw(rng, '5') == '9');
}

TEST_CASE("shares: a yes or no that mutates keeps its share, and the rarer always changes") {
  constexpr int kDraws = 40000;
  Rng rng(4, "test.shares");
  for (double share : {0.1, 0.2, 0.5, 0.9}) {
    int yes = 0;
    for (int i = 0; i < kDraws; ++i) yes += redraw(rng, rng.chance(share), share);
    CHECK(std::abs(double(yes) / kDraws - share) < 5 * std::sqrt(share * (1 - share) / kDraws));
    for (int i = 0; i < 20; ++i) CHECK(redraw(rng, share <= 0.5, share) == (share > 0.5));
  }
}

}  // namespace star::synthesis
