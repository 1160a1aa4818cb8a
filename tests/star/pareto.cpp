#include "star/pareto.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/rng.h"

namespace star {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Objectives on a coarse grid, for ties and equals; some infeasible, some failed.
std::vector<Fitness> random_population(Rng& rng, int n, int objectives) {
  std::vector<Fitness> all;
  for (int i = 0; i < n; ++i) {
    Fitness f;
    for (int k = 0; k < objectives; ++k) f.objectives.push_back(rng.below(6));
    if (rng.chance(0.2)) f.violation = 1 + rng.below(3);
    if (rng.chance(0.1)) f.failed = true;
    if (rng.chance(0.05)) f.objectives[0] = kNan;
    if (rng.chance(0.05)) f.violation = kNan;
    all.push_back(f);
  }
  return all;
}

// The definition, in words: failed, infeasible or feasible; then what each of them compares.
bool naive_dominates(const Fitness& a, const Fitness& b) {
  auto bad = [](const Fitness& f) {
    bool nan = f.violation != f.violation;
    for (double x : f.objectives) nan = nan || x != x;
    return f.failed || nan;
  };
  if (bad(a)) return false;
  if (bad(b)) return true;
  if (a.violation > 0) return b.violation > 0 && a.violation < b.violation;
  if (b.violation > 0) return true;
  int less = 0, more = 0;
  for (size_t k = 0; k < a.objectives.size(); ++k) {
    less += a.objectives[k] < b.objectives[k];
    more += a.objectives[k] > b.objectives[k];
  }
  return less > 0 && more == 0;
}

// The dominated volume by inclusion and exclusion over all subsets.
double naive_hypervolume(const std::vector<std::vector<double>>& points,
                         const std::vector<double>& reference) {
  double volume = 0;
  for (unsigned subset = 1; subset < 1u << points.size(); ++subset) {
    double box = 1;
    for (size_t k = 0; k < reference.size(); ++k) {
      double corner = 0;
      for (size_t i = 0; i < points.size(); ++i) {
        if (subset >> i & 1) corner = std::max(corner, points[i][k] / reference[k]);
      }
      box *= std::max(0.0, 1 - corner);
    }
    volume += __builtin_popcount(subset) % 2 ? box : -box;
  }
  return volume;
}

}  // namespace

TEST_CASE("pareto: fronts are the undominated ones, layer by layer") {
  Rng rng(9, "test.pareto");
  for (int round = 0; round < 200; ++round) {
    const std::vector<Fitness> all =
        random_population(rng, int(rng.below(30)), 1 + int(rng.below(4)));
    std::vector<int> left(all.size());
    std::iota(left.begin(), left.end(), 0);
    std::vector<std::vector<int>> expected;
    while (!left.empty()) {
      std::vector<int> front, rest;
      for (int i : left) {
        bool dominated = false;
        for (int j : left) dominated |= naive_dominates(all[size_t(j)], all[size_t(i)]);
        (dominated ? rest : front).push_back(i);
      }
      expected.push_back(front);
      left = rest;
    }
    CHECK(sort_fronts(all) == expected);
    const std::vector<Standing> ranks = standings(all);
    for (size_t r = 0; r < expected.size(); ++r)
      for (int i : expected[r]) CHECK(ranks[size_t(i)].rank == int(r));
  }
}

TEST_CASE("pareto: what failed comes last and dominates nothing") {
  const Fitness good{{5, 5}}, infeasible{{1, 1}, 0.5}, nan{{kNan, 0}}, failed{{0, 0}, 0, true};
  const Fitness infinite{{kInf, 0}}, unknown{{0, 0}, kNan}, missing{{}, 0, true};
  const std::vector<Fitness> all = {nan, infeasible, good, failed, infinite, unknown, missing};
  CHECK(sort_fronts(all) == std::vector<std::vector<int>>{{2, 4}, {1}, {0, 3, 5, 6}});
  for (const Standing& s : standings(all)) CHECK_FALSE(std::isnan(s.crowding));
}

TEST_CASE("pareto: crowding distance is the perimeter between neighbours") {
  Rng rng(10, "test.pareto");
  for (int round = 0; round < 200; ++round) {
    const int n = 1 + int(rng.below(12)), m = 1 + int(rng.below(4));
    std::vector<Fitness> all(20);
    for (Fitness& f : all) {
      for (int k = 0; k < m; ++k) f.objectives.push_back(rng.uniform(-3, 5));
    }
    std::vector<int> front(20);
    std::iota(front.begin(), front.end(), 0);
    rng.shuffle(front);
    front.resize(size_t(n));
    const std::vector<double> distance = crowding_distance(all, front);
    for (size_t i = 0; i < front.size(); ++i) {
      double expected = 0;
      for (size_t k = 0; k < size_t(m); ++k) {
        const double own = all[size_t(front[i])].objectives[k];
        double below = -kInf, above = kInf, least = kInf, most = -kInf;
        for (int j : front) {
          const double x = all[size_t(j)].objectives[k];
          if (x < own) below = std::max(below, x);
          if (x > own) above = std::min(above, x);
          least = std::min(least, x);
          most = std::max(most, x);
        }
        expected += n > 1 ? (above - below) / (most - least) : kInf;
      }
      if (std::isinf(expected)) {
        CHECK(std::isinf(distance[i]));
      } else {
        CHECK(distance[i] == doctest::Approx(expected));
      }
    }
  }
}

TEST_CASE("pareto: standings compare rank, then room") {
  CHECK(better({0, 0.1}, {1, kInf}));
  CHECK(better({1, 2}, {1, 1}));
  CHECK_FALSE(better({1, 1}, {1, 1}));
  CHECK_FALSE(better({2, kInf}, {1, 0}));
}

TEST_CASE("pareto: hypervolume by inclusion and exclusion") {
  Rng rng(11, "test.pareto");
  for (int round = 0; round < 300; ++round) {
    const size_t m = 1 + rng.below(6), n = rng.below(11);
    std::vector<double> reference;
    for (size_t k = 0; k < m; ++k) reference.push_back(rng.uniform(0.5, 4));
    std::vector<std::vector<double>> points(n);
    for (auto& p : points) {
      // Some beyond the reference, some equal in a coordinate.
      for (size_t k = 0; k < m; ++k)
        p.push_back(reference[k] * (rng.chance(0.3) ? 0.25 * rng.below(5) : rng.uniform(0, 1.1)));
    }
    const double volume = hypervolume(points, reference);
    CHECK(volume == doctest::Approx(naive_hypervolume(points, reference)).epsilon(1e-9));
    CHECK(volume >= 0);
    CHECK(volume <= 1);
    // Neither order, nor repetition, nor a dominated point counts.
    auto more = points;
    for (const auto& p : points) {
      more.push_back(p);
      more.push_back(p);
      for (double& x : more.back()) x += rng.uniform();
    }
    rng.shuffle(more);
    CHECK(hypervolume(more, reference) == doctest::Approx(volume).epsilon(1e-9));
  }
}

TEST_CASE("pareto: hypervolume of many points by counting cells") {
  Rng rng(12, "test.pareto");
  for (size_t m = 2; m <= 4; ++m) {
    // Coordinates are multiples of 1/8: the volume is a count of cells.
    std::vector<std::vector<double>> points(60, std::vector<double>(m));
    for (auto& p : points)
      for (double& x : p) x = rng.below(9) / 8.0;
    int cells = 1, covered = 0;
    for (size_t k = 0; k < m; ++k) cells *= 8;
    for (int cell = 0; cell < cells; ++cell) {
      bool inside = false;
      for (const auto& p : points) {
        int rest = cell;
        bool under = true;
        for (double x : p) under &= x <= rest % 8 / 8.0, rest /= 8;
        inside |= under;
      }
      covered += inside;
    }
    CHECK(hypervolume(points, std::vector<double>(m, 1.0)) ==
          doctest::Approx(double(covered) / cells).epsilon(1e-12));
  }
}

namespace {

using Points = std::vector<std::vector<double>>;

// Fronts of the usual test problems (Zitzler, Deb, Thiele, 2000; Deb et al., 2005): n points from
// the extreme of the first objective to that of the last.
Points zdt_front(int n, double (*f2)(double)) {
  Points points;
  for (int i = 0; i < n; ++i) {
    const double x = double(i) / (n - 1);
    points.push_back({x, f2(x)});
  }
  return points;
}
double zdt1(double x) { return 1 - std::sqrt(x); }
double zdt2(double x) { return 1 - x * x; }

// DTLZ1 is the simplex of sum 1/2, DTLZ2 a part of the unit sphere: a grid of n by n, or n, points.
Points dtlz_front(int n, int objectives, bool sphere) {
  Points points;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < (objectives == 3 ? n : 1); ++j) {
      const double u = double(i) / (n - 1), v = objectives == 3 ? double(j) / (n - 1) : 0;
      const double a = u * std::acos(0.0), b = v * std::acos(0.0);
      std::vector<double> p;
      if (sphere) {
        p = {std::cos(a) * std::cos(b), std::sin(a), std::cos(a) * std::sin(b)};
      } else {
        p = {0.5 * (1 - u) * (1 - v), 0.5 * u, 0.5 * (1 - u) * v};
      }
      for (double& x : p) x = std::max(x, 0.0);  // the cosine of a right angle
      p.resize(size_t(objectives));
      points.push_back(p);
    }
  }
  return points;
}

std::vector<Fitness> fitness_of(const Points& points) {
  std::vector<Fitness> all;
  for (const auto& p : points) all.push_back({p});
  return all;
}

}  // namespace

TEST_CASE("pareto: published hypervolumes of test problems") {
  // The worked example of pymoo's documentation of indicators: every tenth of a hundred points of
  // ZDT1, stretched by 1.1, below (1.2, 1.2).
  Points tenth;
  const Points front = zdt_front(100, zdt1);
  for (size_t i = 0; i < front.size(); i += 10)
    tenth.push_back({1.1 * front[i][0], 1.1 * front[i][1]});
  CHECK(1.44 * hypervolume(tenth, {1.2, 1.2}) ==
        doctest::Approx(0.9631646448182305).epsilon(1e-14));

  // What infinitely many points reach below (11, 11): Auger, Bader, Brockhoff, Zitzler, "Theory of
  // the hypervolume indicator: optimal μ-distributions", 2009. n points fall short of it by less
  // than the steps between them, 1/n in all.
  struct {
    Points points;
    double published;
  } const cases[] = {{zdt_front(2000, zdt1), 120.6666666667},
                     {zdt_front(2000, zdt2), 120.3333333333},
                     {dtlz_front(2000, 2, false), 120.875},
                     {dtlz_front(2000, 2, true), 120.2146018366}};
  for (const auto& c : cases) {
    const double volume = 121 * hypervolume(c.points, {11, 11});
    CHECK(volume < c.published);
    CHECK(volume > c.published - 1.0 / 2000);
  }
}

TEST_CASE("pareto: hypervolumes of fronts in three and four objectives") {
  const int n = 40;
  for (const bool sphere : {false, true}) {
    // Below (1, 1, 1): all but the corner under the simplex or the sphere.
    const double whole = sphere ? 1 - std::acos(0.0) / 3 : 1 - 1.0 / 48;
    Points points = dtlz_front(n, 3, sphere);
    const double volume = hypervolume(points, {1, 1, 1});
    CHECK(volume < whole);
    CHECK(volume > whole - 3.0 / n);
    // A fourth objective of one value for all is a factor.
    for (auto& p : points) p.insert(p.begin() + 1, 0.25);
    CHECK(hypervolume(points, {1, 1, 1, 1}) == doctest::Approx(0.75 * volume).epsilon(1e-12));
  }
}

TEST_CASE("pareto: a front pushed away is the next front") {
  for (const Points& front : {zdt_front(50, zdt1), zdt_front(50, zdt2), dtlz_front(50, 2, true),
                              dtlz_front(7, 3, false), dtlz_front(7, 3, true)}) {
    // The corners of a grid in three objectives fall together: equal points share a front.
    Points all;
    for (int layer = 0; layer < 4; ++layer) {
      for (auto p : front) {
        for (double& x : p) x += 0.01 * layer;
        all.push_back(p);
      }
    }
    const auto fitness = fitness_of(all);
    const std::vector<Standing> ranks = standings(fitness);
    // By the definition: as many layers as a chain of domination above it has.
    for (size_t i = 0; i < all.size(); ++i) {
      int rank = 0;
      for (size_t j = 0; j < all.size(); ++j) {
        if (naive_dominates(fitness[j], fitness[i])) rank = std::max(rank, ranks[j].rank + 1);
      }
      CHECK(ranks[i].rank == rank);
      CHECK(rank >= int(i / front.size()));
    }
    for (size_t i = 0; i < front.size(); ++i) CHECK(ranks[i].rank == 0);
  }
}

TEST_CASE("pareto: crowding of evenly spaced points is even") {
  // DTLZ1 in two objectives: a line. Between its ends, each neighbourhood is 2 of n − 1 steps, in
  // both objectives.
  const int n = 21;
  const auto fitness = fitness_of(dtlz_front(n, 2, false));
  const std::vector<Standing> all = standings(fitness);
  CHECK(std::isinf(all.front().crowding));
  CHECK(std::isinf(all.back().crowding));
  for (int i = 1; i + 1 < n; ++i)
    CHECK(all[size_t(i)].crowding == doctest::Approx(2 * 2.0 / (n - 1)).epsilon(1e-12));
}

TEST_CASE("pareto: an objective without bounds says nothing of room") {
  // Beside the infinite one, the others are told apart by the second objective alone.
  const std::vector<Fitness> all = {{{0, 8}}, {{1, 4}}, {{2, 3}}, {{kInf, 0}}};
  const std::vector<double> distance = crowding_distance(all, {0, 1, 2, 3});
  CHECK(distance[0] == kInf);
  CHECK(distance[1] == 5.0 / 8);
  CHECK(distance[2] == 4.0 / 8);
  CHECK(distance[3] == kInf);
}

TEST_CASE("pareto: hypervolume at its limits") {
  CHECK(hypervolume({}, {1, 1}) == 0);
  CHECK(hypervolume({{0, 0}}, {1, 1}) == 1);
  CHECK(hypervolume({{-1, 0.5}}, {1, 1}) == 0.5);
  CHECK(hypervolume({{1, 0}}, {1, 1}) == 0);
  CHECK(hypervolume({{kNan, 0}, {0.5, kInf}}, {1, 1}) == 0);
  CHECK_THROWS_WITH_AS(hypervolume({{1}}, {1, 1}),
                       doctest::Contains("a point of 1 objectives, the reference 2"), Error);
  CHECK_THROWS_WITH_AS(hypervolume({{1, 1}}, {1, 0}), doctest::Contains("reference 0"), Error);
  CHECK_THROWS_WITH_AS(hypervolume({}, {}), doctest::Contains("no objectives"), Error);
}

}  // namespace star
