#include "core/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

using namespace star;

namespace {

using Block = std::array<uint32_t, 4>;

std::vector<uint32_t> first_bits(Rng rng, int n) {
  std::vector<uint32_t> out;
  for (int i = 0; i < n; ++i) out.push_back(rng.bits());
  return out;
}

// A chi-square statistic of `cells` equally likely cells is near cells − 1, with a standard
// deviation of sqrt(2 (cells − 1)); five of them are passed once in millions of streams, and a
// given stream always passes or always fails.
void check_uniform(const std::vector<int>& counts, double total) {
  double expected = total / double(counts.size()), chi = 0, free = double(counts.size()) - 1;
  for (int count : counts) chi += (count - expected) * (count - expected) / expected;
  CHECK(std::abs(chi - free) < 5 * std::sqrt(2 * free));
}

}  // namespace

TEST_CASE("philox: the known answers of its authors' library Random123") {
  constexpr uint32_t ones = 0xffffffff;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("hash_text is FNV-1a") {
  CHECK(hash_text("") == 0xcbf29ce484222325u);
  CHECK(hash_text("a") == 0xaf63dc4c8601ec8cu);
  CHECK(hash_text("foobar") == 0x85944171f73967e8u);
}

TEST_CASE("a generator depends on its key alone, and on all of it") {
  CHECK(first_bits(Rng(7, "init", 3), 9) == first_bits(Rng(7, "init", 3), 9));
  std::set<std::vector<uint32_t>> streams;
  int made = 0;
  for (uint64_t seed : {uint64_t(0), uint64_t(1), uint64_t(1) << 32, ~uint64_t(0)})
    for (const char* purpose : {"", "init", "data", "inti"})
      for (uint64_t index : {uint64_t(0), uint64_t(1), uint64_t(2), uint64_t(1) << 40}) {
        streams.insert(first_bits(Rng(seed, purpose, index), 3));
        ++made;
      }
  CHECK(int(streams.size()) == made);
}

// Neighbouring indices, the common case, must look as independent as one stream: each bit of their
// difference is set half of the time.
TEST_CASE("streams of neighbouring indices are independent") {
  constexpr int n = 20000;
  std::vector<int> set(32, 0);
  double product = 0;
  for (int i = 0; i < n; ++i) {
    Rng a(1, "stream", uint64_t(i)), b(1, "stream", uint64_t(i) + 1);
    uint32_t difference = a.bits() ^ b.bits();
    for (int bit = 0; bit < 32; ++bit) set[size_t(bit)] += difference >> bit & 1;
    product += (a.uniform() - 0.5) * (b.uniform() - 0.5);
  }
  for (int count : set) CHECK(std::abs(count - n / 2) < 5 * std::sqrt(n / 4.0));
  CHECK(std::abs(product) < 5 * std::sqrt(double(n)) / 12);
}

TEST_CASE("bits are balanced, one by one") {
  constexpr int n = 100000;
  Rng rng(2, "bits");
  std::vector<int> set(32, 0);
  for (int i = 0; i < n; ++i) {
    uint32_t bits = rng.bits();
    for (int bit = 0; bit < 32; ++bit) set[size_t(bit)] += bits >> bit & 1;
  }
  for (int count : set) CHECK(std::abs(count - n / 2) < 5 * std::sqrt(n / 4.0));
}

TEST_CASE("uniform numbers fill [0, 1), in ones and in pairs") {
  constexpr int n = 200000, side = 10;
  Rng rng(3, "uniform");
  std::vector<int> ones(97, 0), pairs(side * side, 0);
  for (int i = 0; i < n; ++i) {
    double a = rng.uniform(), b = rng.uniform();
    REQUIRE((a >= 0 && a < 1 && b >= 0 && b < 1));
    ++ones[size_t(a * 97)];
    ++pairs[size_t(a * side) * side + size_t(b * side)];
  }
  check_uniform(ones, n);
  check_uniform(pairs, n);
  std::vector<int> between(31, 0);
  for (int i = 0; i < 10000; ++i) {
    double x = rng.uniform(-3, 5);
    REQUIRE((x >= -3 && x < 5));
    ++between[size_t((x + 3) / 8 * 31)];
  }
  check_uniform(between, 10000);
}

TEST_CASE("normal numbers have the moments and the distribution of N(0, 1)") {
  constexpr int n = 200000;
  Rng rng(4, "normal");
  double moments[5] = {}, neighbours = 0, before = 0;
  std::vector<int> cells(50, 0);
  for (int i = 0; i < n; ++i) {
    double x = rng.normal();
    for (int p = 1; p <= 4; ++p) moments[p] += std::pow(x, p) / n;
    neighbours += x * before / n;
    before = x;
    ++cells[size_t(std::min(49.0, 50 * 0.5 * std::erfc(-x / std::sqrt(2.0))))];
  }
  // Five standard deviations of each mean: those of x, x², x³, x⁴ are 1, √2, √15, √96.
  double sigma = 5 / std::sqrt(double(n));
  CHECK(std::abs(moments[1]) < sigma);
  CHECK(std::abs(moments[2] - 1) < sigma * std::sqrt(2.0));
  CHECK(std::abs(moments[3]) < sigma * std::sqrt(15.0));
  CHECK(std::abs(moments[4] - 3) < sigma * std::sqrt(96.0));
  CHECK(std::abs(neighbours) < sigma);
  check_uniform(cells, n);
}

TEST_CASE("below(n) is uniform, for large n too") {
  Rng rng(5, "below");
  for (uint32_t n : {1u, 2u, 3u, 7u, 100u}) {
    std::vector<int> counts(n, 0);
    for (int i = 0; i < 70000; ++i) {
      uint32_t x = rng.below(n);
      REQUIRE(x < n);
      ++counts[x];
    }
    if (n > 1) check_uniform(counts, 70000);
  }
  // Without rejection, a third of the values would come twice as often.
  uint32_t n = 3u << 30;
  std::vector<int> thirds(3, 0);
  for (int i = 0; i < 60000; ++i) {
    uint32_t x = rng.below(n);
    REQUIRE(x < n);
    ++thirds[x % 3];
  }
  check_uniform(thirds, 60000);
}

TEST_CASE("chance(p) comes true with probability p") {
  Rng rng(6, "chance");
  for (double p : {0.0, 0.1, 0.5, 1.0}) {
    int n = 40000, hits = 0;
    for (int i = 0; i < n; ++i) hits += rng.chance(p);
    CHECK(std::abs(hits - n * p) <= 5 * std::sqrt(n * p * (1 - p)));
  }
}

TEST_CASE("shuffle draws each order alike") {
  std::vector<int> orders(24, 0);
  Rng rng(7, "shuffle");
  for (int i = 0; i < 24000; ++i) {
    std::vector<int> items = {0, 1, 2, 3};
    rng.shuffle(items);
    std::vector<int> walk = {0, 1, 2, 3};
    int rank = 0;
    while (walk != items) {
      REQUIRE(std::next_permutation(walk.begin(), walk.end()));
      ++rank;
    }
    ++orders[size_t(rank)];
  }
  check_uniform(orders, 24000);
  std::vector<int> none, many(1000);
  rng.shuffle(none);
  std::iota(many.begin(), many.end(), 0);
  rng.shuffle(many);
  CHECK_FALSE(std::is_sorted(many.begin(), many.end()));
  std::sort(many.begin(), many.end());
  for (int i = 0; i < 1000; ++i) CHECK(many[size_t(i)] == i);
}
