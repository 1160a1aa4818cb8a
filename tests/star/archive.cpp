#include "star/archive.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"

namespace star::synthesis {
namespace {

using Points = std::vector<std::vector<double>>;

// Fitnesses on a coarse grid, so that many are equal or dominate; some break bounds, some failed.
Fitness random_fitness(Rng& rng, size_t objectives, double bounded) {
  Fitness f;
  for (size_t k = 0; k < objectives; ++k) f.objectives.push_back(1 + rng.below(12));
  if (rng.chance(bounded)) f.violation = 1 + rng.below(5);
  f.failed = rng.chance(0.1);
  return f;
}

// The area above a staircase, cell by cell.
double area(const Points& points, double x0, double y0, double x1, double y1, int cells) {
  const double dx = (x1 - x0) / cells, dy = (y1 - y0) / cells;
  double sum = 0;
  for (int i = 0; i < cells; ++i)
    for (int j = 0; j < cells; ++j) {
      const double x = x0 + (i + 0.5) * dx, y = y0 + (j + 0.5) * dy;
      sum += dx * dy * double(std::any_of(points.begin(), points.end(), [&](auto& p) {
               return p[0] <= x && p[1] <= y;
             }));
    }
  return sum;
}

}  // namespace

TEST_CASE("archive: it is the first front of all that was added, at every moment") {
  for (int trial = 0; trial < 60; ++trial) {
    Rng rng(21, "archive", uint64_t(trial));
    const size_t objectives = 1 + rng.below(4);
    const double bounded = trial % 3 == 0 ? 1 : 0.3;
    const std::vector<double> reference(objectives, 14);
    Archive archive;
    std::vector<Fitness> all;
    double before = 0;
    for (int i = 0; i < 60; ++i) {
      all.push_back(random_fitness(rng, objectives, bounded));
      archive.add(i, all.back());
      std::vector<int> front = sort_fronts(all)[0], members;
      std::erase_if(front, [&](int f) { return has_failed(all[size_t(f)]); });
      Points points;
      for (auto& m : archive.members()) {
        members.push_back(m.individual);
        if (m.fitness.violation == 0) points.push_back(m.fitness.objectives);
      }
      CHECK(members == front);
      const double volume = points.empty() ? 0 : hypervolume(points, reference);
      CHECK(volume >= before);
      before = volume;
    }
  }
}

TEST_CASE("archive: the scale is that of the first front, and what is better than it counts") {
  const Points first = {{2, 30}, {4, 20}, {8, 10}};
  const HypervolumeScale scale(first, {100, 100}, 11);  // r = 1.1
  const auto unit = [](const Points& points) {
    Points scaled;
    for (auto& p : points) scaled.push_back({(p[0] - 2) / 6, (p[1] - 10) / 20});
    return scaled;
  };
  const double box = 1.1 * 1.1;
  CHECK(scale.of({}) == 0);
  CHECK(scale.of({{2, 10}}) == doctest::Approx(1).epsilon(1e-12));  // the ideal point
  CHECK(scale.of({{9, 9}}) == 0);                                   // beyond r in the first
  for (const Points& points : {first, Points{{3, 15}}, Points{{1, 25}, {7, 5}}, Points{{0, 0}},
                               Points{{2, 30}, {0.5, 31}}})
    CHECK(scale.of(points) ==
          doctest::Approx(area(unit(points), -1, -1, 1.1, 1.1, 2100) / box).epsilon(2e-3));
  // Neither unit nor origin matters.
  Points moved = first, later = {{3, 15}, {1, 40}};
  const double expected = scale.of(later);
  for (Points* points : {&moved, &later})
    for (auto& p : *points) p = {p[0] * 1000 + 7, p[1] * 0.01 - 3};
  CHECK(HypervolumeScale(moved, {1e9, 1e9}, 11).of(later) ==
        doctest::Approx(expected).epsilon(1e-9));
}

TEST_CASE("archive: where the first front has no range, the absolute reference ends the scale") {
  const HypervolumeScale one({{2}}, {5}, 3);  // r = 1.5, range 2
  CHECK(one.of({{2}}) == doctest::Approx(1));
  CHECK(one.of({{3.5}}) == doctest::Approx(0.5));
  CHECK(one.of({{0.5}}) == doctest::Approx(1.5));
  CHECK(HypervolumeScale({{7}}, {5}, 3).of({{6}}) > 1);  // beyond the reference already
}

}  // namespace star::synthesis
