#include "star/statistics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/rng.h"

namespace star::synthesis {
namespace {

using Values = std::vector<double>;

// τ-b from its definition, the pairs counted one by one.
double tau_by_pairs(const Values& x, const Values& y) {
  double same = 0, opposite = 0, in_x = 0, in_y = 0;
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = i + 1; j < x.size(); ++j) {
      double product = (x[i] - x[j]) * (y[i] - y[j]);
      same += product > 0;
      opposite += product < 0;
      in_x += x[i] != x[j];
      in_y += y[i] != y[j];
    }
  return (same - opposite) / std::sqrt(in_x * in_y);
}

// The share of all permutations of y with a τ at least as far from 0.
double kendall_p_by_permutations(const Values& x, Values y) {
  const double seen = std::fabs(tau_by_pairs(x, y));
  std::sort(y.begin(), y.end());
  double all = 0, extreme = 0;
  do {
    ++all;
    extreme += std::fabs(tau_by_pairs(x, y)) >= seen - 1e-12;
  } while (std::next_permutation(y.begin(), y.end()));
  return extreme / all;
}

double u_of(const Values& a, const Values& b) {
  double u = 0;
  for (double x : a)
    for (double y : b) u += x > y ? 1 : x == y ? 0.5 : 0;
  return u;
}

// The share of all ways to choose so many of the values with a U at least as far from its mean.
double rank_sum_p_by_choices(const Values& a, const Values& b) {
  Values all = a;
  all.insert(all.end(), b.begin(), b.end());
  const double middle = double(a.size() * b.size()) / 2, seen = std::fabs(u_of(a, b) - middle);
  double choices = 0, extreme = 0;
  for (unsigned chosen = 0; chosen < 1u << all.size(); ++chosen) {
    if (size_t(std::popcount(chosen)) != a.size()) continue;
    Values in, out;
    for (size_t i = 0; i < all.size(); ++i) (chosen >> i & 1 ? in : out).push_back(all[i]);
    ++choices;
    extreme += std::fabs(u_of(in, out) - middle) >= seen - 1e-12;
  }
  return extreme / choices;
}

// The share of all ways to give the property to so many of a + b individuals.
double fisher_by_choices(int with_a, int a, int with_b, int b) {
  double choices = 0, extreme = 0;
  for (unsigned chosen = 0; chosen < 1u << (a + b); ++chosen) {
    if (std::popcount(chosen) != with_a + with_b) continue;
    ++choices;
    extreme += std::popcount(chosen & ((1u << a) - 1)) >= with_a;
  }
  return extreme / choices;
}

Values distinct(Rng& rng, int n) {
  Values values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), 1);
  rng.shuffle(values);
  return values;
}

Values coarse(Rng& rng, int n) {
  Values values;
  for (int i = 0; i < n; ++i) values.push_back(double(rng.below(4)));
  return values;
}

Values series(int n, int factor, int modulus, double offset = 0) {
  Values values;
  for (int i = 0; i < n; ++i) values.push_back(double(factor * i % modulus) + offset);
  return values;
}

}  // namespace

TEST_CASE("statistics: mean and sample deviation") {
  CHECK(spread_of(Values{2, 4, 4, 4, 5, 5, 7, 9}).mean == 5);
  CHECK(spread_of(Values{2, 4, 4, 4, 5, 5, 7, 9}).deviation ==
        doctest::Approx(std::sqrt(32.0 / 7)));
  CHECK(spread_of(Values{3}).mean == 3);
  CHECK(std::isnan(spread_of(Values{3}).deviation));
  CHECK(std::isnan(spread_of(Values{}).mean));
}

TEST_CASE("statistics: a mean of clusters, and the spread of such means over many draws") {
  // Clusters of sizes 1 to 4 whose values share an offset.
  Rng rng(3, "clusters");
  auto draw = [&](int clusters) {
    ClusterMean mean;
    for (int c = 0; c < clusters; ++c) {
      const double offset = rng.normal();
      const int64_t size = 1 + rng.below(4);
      double sum = 0;
      for (int64_t i = 0; i < size; ++i) sum += 2 + offset + 0.3 * rng.normal();
      mean.add(sum, size);
      mean.add(123, 0);  // a cluster without values is none
    }
    return mean;
  };
  Values means, errors;
  for (int i = 0; i < 4000; ++i) {
    const ClusterMean mean = draw(60);
    means.push_back(mean.mean());
    errors.push_back(mean.standard_error());
  }
  const double truth = spread_of(means).deviation;  // known to 1.1 %
  CHECK(std::abs(spread_of(means).mean - 2) < 5 * truth / std::sqrt(4000.0));
  CHECK(std::abs(spread_of(errors).mean / truth - 1) < 0.05);

  ClusterMean none, one;
  CHECK(std::isnan(none.mean()));
  CHECK(none.count() == 0);
  one.add(6, 3);
  CHECK(one.mean() == 2);
  CHECK(one.count() == 3);
  CHECK(std::isnan(one.standard_error()));
  one.add(2, 1);
  CHECK(one.standard_error() == 0);
}

TEST_CASE("statistics: equal values share their rank") {
  CHECK(ranks(Values{30, 10, 20}) == Values{3, 1, 2});
  CHECK(ranks(Values{5, 1, 5, 5, 2}) == Values{4, 1, 4, 4, 2});
  CHECK(ranks(Values{}).empty());
  CHECK_THROWS_WITH_AS(ranks(Values{1, std::nan("")}),
                       doctest::Contains("not a number has no rank"), Error);
}

TEST_CASE("statistics: Kendall's tau by counting pairs, its p by all permutations") {
  for (uint64_t i = 0; i < 40; ++i) {
    Rng rng(3, "statistics", i);
    const int n = 2 + int(i % 6);
    Values x = distinct(rng, n), y = distinct(rng, n);
    INFO("sample " << i);
    CHECK(kendall_tau(x, y).tau == doctest::Approx(tau_by_pairs(x, y)));
    CHECK(kendall_tau(x, y).p == doctest::Approx(kendall_p_by_permutations(x, y)));
    Values u = coarse(rng, 9), v = coarse(rng, 9);
    CHECK(kendall_tau(u, v).tau == doctest::Approx(tau_by_pairs(u, v)));
    // Of opposite order: the same evidence.
    Values down;
    for (double value : v) down.push_back(-value);
    CHECK(kendall_tau(u, down).tau == doctest::Approx(-kendall_tau(u, v).tau));
    CHECK(kendall_tau(u, down).p == doctest::Approx(kendall_tau(u, v).p));
  }
}

TEST_CASE("statistics: p is exact where all orders or choices can be counted, beyond it is near") {
  auto to = [](int n, double offset = 0) {
    Values values(static_cast<size_t>(n));
    std::iota(values.begin(), values.end(), offset);
    return values;
  };
  // One of n! permutations is in order, and one the other way round.
  for (int n : {9, 20, 100})
    CHECK(kendall_tau(to(n), to(n)).p * std::tgamma(double(n) + 1) ==
          doctest::Approx(2).epsilon(1e-9));
  CHECK(kendall_tau(to(101), to(101)).p > 1e-60);
  // One choice of n among n + m places has all of them first, and one last.
  auto choices = [](double n, double m) {
    return std::exp(std::lgamma(n + m + 1) - std::lgamma(n + 1) - std::lgamma(m + 1));
  };
  for (auto [n, m] : {std::pair{4, 9}, {10, 30}, {31, 32}})
    CHECK(rank_sum(to(n), to(m, 100)) * choices(n, m) == doctest::Approx(2).epsilon(1e-9));
  CHECK(rank_sum(to(32), to(32, 100)) * choices(32, 32) > 100);
}

TEST_CASE("statistics: Kendall's tau where there is nothing to compare") {
  CHECK(std::isnan(kendall_tau(Values{}, Values{}).tau));
  CHECK(std::isnan(kendall_tau(Values{1}, Values{2}).tau));
  CHECK(std::isnan(kendall_tau(Values{1, 2, 3}, Values{5, 5, 5}).tau));
  CHECK(std::isnan(kendall_tau(Values{1, 2, 3}, Values{5, 5, 5}).p));
  CHECK_THROWS_WITH_AS(kendall_tau(Values{1, 2}, Values{1}),
                       doctest::Contains("2 values against 1"), Error);
  CHECK_THROWS_WITH_AS(kendall_tau(Values{1, std::nan("")}, Values{1, 2}),
                       doctest::Contains("not a number has no rank"), Error);
}

TEST_CASE("statistics: a correlation among the best is that of many draws") {
  Rng rng(0, "statistics.best");
  const size_t n = 8000;
  for (double tau : {-0.4, 0.0, 0.2, 0.4}) {
    const double rho = std::sin(std::acos(0.0) * tau);
    std::vector<std::pair<double, double>> all;
    for (size_t i = 0; i < n; ++i) {
      const double x = rng.normal(), y = rho * x + std::sqrt(1 - rho * rho) * rng.normal();
      all.emplace_back(x, y);
    }
    std::sort(all.rbegin(), all.rend());
    CHECK(tau_among_best(tau, 1) == tau);
    for (double share : {0.5, 0.25, 0.1}) {
      INFO(tau, ", ", share);
      std::vector<double> x, y;
      for (size_t i = 0; i < size_t(share * n); ++i) {
        x.push_back(all[i].first);
        y.push_back(all[i].second);
      }
      CHECK(std::abs(tau_among_best(tau, share) - kendall_tau(x, y).tau) < 0.04);
    }
  }
}

TEST_CASE("statistics: the rank-sum test by all choices") {
  for (uint64_t i = 0; i < 30; ++i) {
    Rng rng(4, "statistics", i);
    const size_t n = 1 + rng.below(5), m = 1 + rng.below(5);
    Values all = distinct(rng, int(n + m));
    Values a(all.begin(), all.begin() + long(n)), b(all.begin() + long(n), all.end());
    INFO("sample " << i);
    CHECK(rank_sum(a, b) == doctest::Approx(rank_sum_p_by_choices(a, b)));
    CHECK(rank_sum(b, a) == doctest::Approx(rank_sum(a, b)));
  }
  CHECK(std::isnan(rank_sum(Values{}, Values{1, 2})));
  CHECK(std::isnan(rank_sum(Values{1, 1}, Values{1, 1, 1})));
  CHECK_THROWS_WITH_AS(rank_sum(Values{1}, Values{std::nan("")}),
                       doctest::Contains("not a number has no rank"), Error);
}

TEST_CASE("statistics: Fisher's exact test by all choices") {
  for (int a = 0; a <= 4; ++a)
    for (int b = 0; b <= 5; ++b)
      for (int with_a = 0; with_a <= a; ++with_a)
        for (int with_b = 0; with_b <= b; ++with_b) {
          INFO(with_a << " of " << a << ", " << with_b << " of " << b);
          CHECK(fisher_greater(with_a, a, with_b, b) ==
                doctest::Approx(fisher_by_choices(with_a, a, with_b, b)));
        }
  CHECK(fisher_greater(0, 8, 5, 16) == 1);
  CHECK_THROWS_WITH_AS(fisher_greater(3, 2, 0, 1), doctest::Contains("3 of 2 against 0 of 1"),
                       Error);
}

TEST_CASE("statistics: adjusted p-values reject what Benjamini and Hochberg's procedure rejects") {
  Rng rng(5, "statistics");
  for (int round = 0; round < 50; ++round) {
    Values p;
    for (int i = 0; i < 12; ++i) p.push_back(std::pow(rng.uniform(), 3));
    Values adjusted = benjamini_hochberg(p);
    for (double level : {0.01, 0.05, 0.2, 0.7}) {
      // The procedure: the greatest k whose k-th least p is at most k/m of the level; the k least.
      Values sorted = p;
      std::sort(sorted.begin(), sorted.end());
      double bound = -1;
      for (size_t k = 1; k <= sorted.size(); ++k)
        if (sorted[k - 1] <= level * double(k) / double(sorted.size())) bound = sorted[k - 1];
      for (size_t i = 0; i < p.size(); ++i) CHECK((adjusted[i] <= level) == (p[i] <= bound));
    }
  }
  Values with_gap = benjamini_hochberg(Values{0.01, std::nan(""), 0.02});
  CHECK(with_gap[0] == doctest::Approx(0.02));
  CHECK(std::isnan(with_gap[1]));
  CHECK(with_gap[2] == doctest::Approx(0.02));
  CHECK(benjamini_hochberg(Values{}).empty());
}

// The figures below are SciPy's, printed by tests/golden/statistics.py.
TEST_CASE("statistics: Kendall's tau and its p as SciPy has them") {
  struct Case {
    Values x, y;
    double tau, p;
  };
  const std::vector<Case> cases = {
      {{2.5, 1, 4, 3, 7, 6, 5.5}, {1, 3, 2, 5, 4, 9, 8}, 0.4285714285714286, 0.2388888888888889},
      {{1, 2, 3, 4, 5}, {10, 20, 30, 40, 50}, 1, 0.016666666666666666},
      {{1, 2, 2, 3, 3, 3, 4}, {7, 5, 6, 4, 3, 2, 1}, -0.8997354108424374, 0.006950508943083741},
      {{1, 1, 2, 2, 3, 3, 4, 5, 5, 5},
       {1, 2, 2, 3, 3, 1, 4, 5, 4, 4},
       0.717948717948718,
       0.00828592446164861},
      {series(120, 37, 121), series(120, 53, 127), 0.07955182072829131, 0.19762045957897634}};
  for (auto& c : cases) {
    INFO("tau " << c.tau);
    CHECK(kendall_tau(c.x, c.y).tau == doctest::Approx(c.tau).epsilon(1e-12));
    CHECK(kendall_tau(c.x, c.y).p == doctest::Approx(c.p).epsilon(1e-9));
  }
}

TEST_CASE("statistics: Fisher's exact and the rank-sum test as SciPy has them") {
  auto near = [](double value) { return doctest::Approx(value).epsilon(1e-9); };
  CHECK(fisher_greater(3, 8, 1, 16) == near(0.09090909090909093));
  CHECK(fisher_greater(8, 8, 3, 16) == near(0.000224346031318706));
  CHECK(fisher_greater(5, 10, 100, 1000) == near(0.0018231729043077472));
  CHECK(fisher_greater(2, 2, 0, 2) == near(0.16666666666666666));
  CHECK(fisher_greater(4, 9, 4, 9) == near(0.6814068284656519));
  CHECK(rank_sum(Values{1.1, 2.2, 3.3}, Values{4.4, 5.5, 0.5, 6.6, 7.7}) == near(0.25));
  CHECK(rank_sum(Values{1, 2, 3, 4}, Values{5, 6, 7, 8, 9}) == near(0.015873015873015872));
  CHECK(rank_sum(Values{1, 2, 2, 3, 5}, Values{2, 4, 4, 5, 6, 6}) == near(0.09492929259398954));
  CHECK(rank_sum(series(40, 37, 101, 0.5), series(30, 53, 113)) == near(0.42308671193126157));
}

TEST_CASE("statistics: adjusted p-values as SciPy has them") {
  const Values p = {0.001, 0.008, 0.039, 0.041, 0.042, 0.06,  0.074, 0.205,
                    0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34};
  const Values expected = {0.015,
                           0.06,
                           0.126,
                           0.126,
                           0.126,
                           0.15,
                           0.15857142857142856,
                           0.29464285714285715,
                           0.29464285714285715,
                           0.29464285714285715,
                           0.29464285714285715,
                           0.29464285714285715,
                           0.29464285714285715,
                           0.29464285714285715,
                           0.34};
  const Values adjusted = benjamini_hochberg(p);
  for (size_t i = 0; i < p.size(); ++i) CHECK(adjusted[i] == doctest::Approx(expected[i]));
}

TEST_CASE("statistics: Student's t is that of the published tables") {
  // Two-sided 95 and 99 %: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2.
  struct Row {
    double freedom, t95, t99;
  };
  for (const Row& row :
       {Row{1, 12.706, 63.657}, Row{2, 4.303, 9.925}, Row{3, 3.182, 5.841}, Row{5, 2.571, 4.032},
        Row{10, 2.228, 3.169}, Row{30, 2.042, 2.750}, Row{100, 1.984, 2.626}}) {
    INFO(row.freedom);
    // To the digits that are printed.
    CHECK(std::fabs(student_t_bound(0.95, row.freedom) - row.t95) < 6e-4);
    CHECK(std::fabs(student_t_bound(0.99, row.freedom) - row.t99) < 6e-4);
    CHECK(std::fabs(student_t_p(row.t95, row.freedom) - 0.05) < 5e-5);
    CHECK(student_t_p(-row.t95, row.freedom) == student_t_p(row.t95, row.freedom));
  }
  // In closed form: 1 degree of freedom is Cauchy's distribution, 2 are t / √(2 + t²).
  for (double t : {1e-3, 0.3, 1.0, 2.5, 40.0, 1e6}) {
    INFO(t);
    CHECK(student_t_p(t, 1) ==
          doctest::Approx(1 - 2 * std::atan(t) / std::acos(-1.0)).epsilon(1e-9));
    CHECK(student_t_p(t, 2) == doctest::Approx(1 - t / std::sqrt(2 + t * t)).epsilon(1e-9));
  }
  CHECK(student_t_p(1.96, 1e6) == doctest::Approx(std::erfc(1.96 / std::sqrt(2.0))).epsilon(1e-4));
  CHECK(student_t_p(0, 7) == 1);
  CHECK(student_t_bound(0, 7) == doctest::Approx(0));
  CHECK_THROWS_AS(student_t_p(1, 0), Error);
  CHECK_THROWS_AS(student_t_bound(1, 3), Error);
}

TEST_CASE("statistics: paired differences are those of a textbook's example") {
  // Student's data on two soporifics (Biometrika 6, 1908; R's `sleep`): t = −4.0621, p = 0.002833,
  // and the interval from −2.459886 to −0.700114.
  const Values a = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0},
               b = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
  const PairedDifference d = paired_difference(a, b);
  CHECK(d.n == 10);
  CHECK(d.mean == doctest::Approx(-1.58));
  CHECK(d.mean / d.standard_error == doctest::Approx(-4.0621).epsilon(1e-5));
  CHECK(d.p == doctest::Approx(0.002833).epsilon(1e-3));
  CHECK(d.low == doctest::Approx(-2.4598858).epsilon(1e-6));
  CHECK(d.high == doctest::Approx(-0.7001142).epsilon(1e-6));
  CHECK(paired_difference(a, b, 0.99).low < d.low);
  // What one pair says, and pairs that all say the same.
  const PairedDifference one = paired_difference(Values{2}, Values{5});
  CHECK(one.mean == -3);
  for (double x : {one.standard_error, one.low, one.high, one.p}) CHECK(std::isnan(x));
  const PairedDifference sure = paired_difference(Values{2, 3}, Values{1, 2});
  CHECK((sure.low == 1 && sure.high == 1 && sure.p == 0));
  const PairedDifference none = paired_difference(Values{2, 3}, Values{2, 3});
  CHECK((none.low == 0 && none.high == 0 && std::isnan(none.p)));
  CHECK_THROWS_AS(paired_difference(Values{1}, Values{1, 2}), Error);
  CHECK_THROWS_AS(paired_difference(Values{std::nan("")}, Values{1}), Error);
}

}  // namespace star::synthesis
