#include "star/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace star {
namespace {

using Point = std::vector<double>;

bool pareto_dominates(const Point& a, const Point& b) {
  bool less = false;
  for (size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    less |= a[k] < b[k];
  }
  return less;
}

// Removes points that another one weakly dominates, keeping one of equal points.
void keep_front(std::vector<Point>& points) {
  std::sort(points.begin(), points.end());  // a point is only dominated by one before it
  std::vector<Point> front;
  for (Point& p : points) {
    bool covered = std::any_of(front.begin(), front.end(),
                               [&](const Point& q) { return q == p || pareto_dominates(q, p); });
    if (!covered) front.push_back(std::move(p));
  }
  points = std::move(front);
}

double box(const Point& p) {
  double volume = 1;
  for (double x : p) volume *= 1 - x;
  return volume;
}

// The volume below (1, …, 1) that points in the unit cube dominate: the sum of what each dominates
// without the ones after it (While, Bradstreet, Barone, "A fast way of calculating exact
// hypervolumes", 2012). In two dimensions it is the area under a staircase.
double dominated_volume(std::vector<Point> points) {
  keep_front(points);
  if (points.empty()) return 0;
  if (points[0].size() == 1) return 1 - points[0][0];
  double volume = 0;
  if (points[0].size() == 2) {
    double top = 1;
    for (const Point& p : points) {
      volume += (1 - p[0]) * (top - p[1]);
      top = p[1];
    }
    return volume;
  }
  // The last objectives descend along the list, so that limiting leaves few points.
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a.back() > b.back(); });
  for (size_t i = 0; i < points.size(); ++i) {
    std::vector<Point> limited(points.begin() + long(i) + 1, points.end());
    for (Point& q : limited) {
      for (size_t k = 0; k < q.size(); ++k) q[k] = std::max(q[k], points[i][k]);
    }
    // Their last objective is now that of point i: the volume of a slice times its thickness.
    for (Point& q : limited) q.pop_back();
    volume += box(points[i]) - (1 - points[i].back()) * dominated_volume(std::move(limited));
  }
  return volume;
}

// 0 feasible, 1 infeasible, 2 failed.
int grade(const Fitness& f) { return has_failed(f) ? 2 : f.violation > 0 ? 1 : 0; }

}  // namespace

bool has_failed(const Fitness& f) {
  return f.failed || std::isnan(f.violation) ||
         std::any_of(f.objectives.begin(), f.objectives.end(),
                     [](double x) { return std::isnan(x); });
}

bool dominates(const Fitness& a, const Fitness& b) {
  const int grade_a = grade(a), grade_b = grade(b);
  if (grade_a != grade_b) return grade_a < grade_b;
  if (grade_a == 0) return pareto_dominates(a.objectives, b.objectives);
  return grade_a == 1 && a.violation < b.violation;
}

std::vector<std::vector<int>> sort_fronts(std::span<const Fitness> all) {
  const int n = int(all.size());
  std::vector<std::vector<int>> dominated(all.size());
  std::vector<int> dominators(all.size(), 0);
  for (int i = 0; i < n; ++i) {
    for (int j = i + 1; j < n; ++j) {
      int over = -1, under = -1;
      if (dominates(all[size_t(i)], all[size_t(j)])) over = i, under = j;
      if (dominates(all[size_t(j)], all[size_t(i)])) over = j, under = i;
      if (over < 0) continue;
      dominated[size_t(over)].push_back(under);
      ++dominators[size_t(under)];
    }
  }
  std::vector<int> front;
  for (int i = 0; i < n; ++i) {
    if (dominators[size_t(i)] == 0) front.push_back(i);
  }
  std::vector<std::vector<int>> fronts;
  while (!front.empty()) {
    std::vector<int> next;
    for (int i : front) {
      for (int j : dominated[size_t(i)]) {
        if (--dominators[size_t(j)] == 0) next.push_back(j);
      }
    }
    std::sort(next.begin(), next.end());
    fronts.push_back(std::move(front));
    front = std::move(next);
  }
  return fronts;
}

std::vector<double> crowding_distance(std::span<const Fitness> all, const std::vector<int>& front) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> distance(front.size(), 0);
  // The failed have no objectives to speak of.
  if (front.empty() || has_failed(all[size_t(front[0])])) return distance;
  for (size_t k = 0; k < all[size_t(front[0])].objectives.size(); ++k) {
    auto value = [&](size_t i) { return all[size_t(front[i])].objectives[k]; };
    std::vector<size_t> order(front.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return value(a) < value(b); });
    const double range = value(order.back()) - value(order[0]);
    distance[order[0]] = distance[order.back()] = infinity;
    if (!(range > 0) || std::isinf(range)) continue;
    for (size_t i = 1; i + 1 < order.size(); ++i) {
      distance[order[i]] += (value(order[i + 1]) - value(order[i - 1])) / range;
    }
  }
  return distance;
}

std::vector<Standing> standings(std::span<const Fitness> all) {
  std::vector<Standing> result(all.size());
  const auto fronts = sort_fronts(all);
  for (size_t rank = 0; rank < fronts.size(); ++rank) {
    const std::vector<double> crowding = crowding_distance(all, fronts[rank]);
    for (size_t i = 0; i < fronts[rank].size(); ++i) {
      result[size_t(fronts[rank][i])] = {int(rank), crowding[i]};
    }
  }
  return result;
}

bool better(const Standing& a, const Standing& b) {
  return a.rank != b.rank ? a.rank < b.rank : a.crowding > b.crowding;
}

double hypervolume(const std::vector<Point>& points, const Point& reference) {
  require(!reference.empty(), "hypervolume: no objectives");
  for (double r : reference) {
    require(r > 0 && std::isfinite(r), "hypervolume: reference {}, must be positive and finite", r);
  }
  std::vector<Point> inside;
  for (const Point& p : points) {
    require(p.size() == reference.size(), "hypervolume: a point of {} objectives, the reference {}",
            p.size(), reference.size());
    Point scaled;
    for (size_t k = 0; k < p.size(); ++k) scaled.push_back(std::max(p[k] / reference[k], 0.0));
    bool below = true;
    for (size_t k = 0; k < p.size(); ++k) below &= p[k] < reference[k];  // false for NaN
    if (below) inside.push_back(std::move(scaled));
  }
  return std::clamp(dominated_volume(std::move(inside)), 0.0, 1.0);
}

}  // namespace star
