#include "star/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
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

// The area that points (x, y) in the unit square dominate, kept as they come.
class Staircase {
 public:
  double area() const { return area_; }

  void add(double x, double y) {
    auto next = steps_.upper_bound(x);
    double left = x, height = next == steps_.begin() ? 1 : std::prev(next)->second;
    if (height <= y) return;
    // The steps that the new one covers, one after the other.
    for (; next != steps_.end() && next->second >= y; ++next) {
      area_ += (next->first - left) * (height - y);
      left = next->first;
      height = next->second;
    }
    area_ += ((next == steps_.end() ? 1 : next->first) - left) * (height - y);
    steps_.erase(steps_.lower_bound(x), next);
    steps_[x] = y;
  }

 private:
  std::map<double, double> steps_;  // y descends as x ascends
  double area_ = 0;
};

// In three dimensions: slices from one value of the last objective to the next, in each of which a
// staircase is dominated (Fonseca, Paquete, López-Ibáñez, "An improved dimension-sweep algorithm
// for the hypervolume indicator", 2006).
double swept_volume(std::vector<Point> points) {
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a[2] < b[2]; });
  Staircase steps;
  double volume = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    steps.add(points[i][0], points[i][1]);
    volume += steps.area() * ((i + 1 < points.size() ? points[i + 1][2] : 1) - points[i][2]);
  }
  return volume;
}

// The volume below (1, …, 1) that points in the unit cube dominate. Beyond three dimensions it is
// the sum of what each dominates without the ones after it (While, Bradstreet, Barone, "A fast way
// of calculating exact hypervolumes", 2012).
double dominated_volume(std::vector<Point> points) {
  if (points.empty()) return 0;
  const size_t m = points[0].size();
  if (m == 1) return 1 - (*std::min_element(points.begin(), points.end()))[0];
  if (m == 2) {
    Staircase steps;
    for (const Point& p : points) steps.add(p[0], p[1]);
    return steps.area();
  }
  if (m == 3) return swept_volume(std::move(points));
  keep_front(points);
  // The last objectives descend along the list, so that limiting leaves few points.
  std::sort(points.begin(), points.end(),
            [](const Point& a, const Point& b) { return a.back() > b.back(); });
  double volume = 0;
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

struct Graded {
  int index, grade;
  const Fitness* fitness;
};

bool dominates(const Graded& a, const Graded& b) {
  if (a.grade != b.grade) return a.grade < b.grade;
  if (a.grade == 0) return pareto_dominates(a.fitness->objectives, b.fitness->objectives);
  return a.grade == 1 && a.fitness->violation < b.fitness->violation;
}

// An order in which whoever dominates comes first.
bool before(const Graded& a, const Graded& b) {
  if (a.grade != b.grade) return a.grade < b.grade;
  if (a.grade == 0) return a.fitness->objectives < b.fitness->objectives;
  return a.grade == 1 && a.fitness->violation < b.fitness->violation;
}

}  // namespace

bool has_failed(const Fitness& f) {
  return f.failed || std::isnan(f.violation) ||
         std::any_of(f.objectives.begin(), f.objectives.end(),
                     [](double x) { return std::isnan(x); });
}

bool dominates(const Fitness& a, const Fitness& b) {
  return dominates(Graded{0, grade(a), &a}, Graded{0, grade(b), &b});
}

// In that order, each goes to the first front of which no member dominates it, found by bisection:
// who is dominated by a front is so by those before it (Zhang et al., "An efficient approach to
// nondominated sorting for evolutionary multiobjective optimization", 2015).
std::vector<std::vector<int>> sort_fronts(std::span<const Fitness> all) {
  std::vector<Graded> order;
  for (const Fitness& f : all) order.push_back({int(order.size()), grade(f), &f});
  std::stable_sort(order.begin(), order.end(), before);
  std::vector<std::vector<Graded>> fronts;
  for (const Graded& one : order) {
    auto dominated = [&](const std::vector<Graded>& front) {
      // In one or two objectives the latest member is the least in the last: no other dominates
      // more.
      const bool flat = one.grade > 0 || one.fitness->objectives.size() <= 2;
      if (flat && front.back().grade == one.grade) return dominates(front.back(), one);
      // The latest members are the closest, and so dominate most often.
      return std::any_of(front.rbegin(), front.rend(),
                         [&](const Graded& member) { return dominates(member, one); });
    };
    auto front = std::partition_point(fronts.begin(), fronts.end(), dominated);
    if (front == fronts.end()) front = fronts.emplace(fronts.end());
    front->push_back(one);
  }
  std::vector<std::vector<int>> result;
  for (const auto& front : fronts) {
    std::vector<int>& indices = result.emplace_back();
    for (const Graded& member : front) indices.push_back(member.index);
    std::sort(indices.begin(), indices.end());
  }
  return result;
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
    for (size_t i = 1; i + 1 < order.size(); ++i)
      distance[order[i]] += (value(order[i + 1]) - value(order[i - 1])) / range;
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

std::vector<size_t> best_first(const std::vector<Standing>& standing) {
  std::vector<size_t> order(standing.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return better(standing[a], standing[b]); });
  return order;
}

double hypervolume(const std::vector<Point>& points, const Point& reference) {
  require(!reference.empty(), "hypervolume: no objectives");
  for (double r : reference)
    require(r > 0 && std::isfinite(r), "hypervolume: reference {}, must be positive and finite", r);
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
