// Multi-objective comparison: constrained domination, non-dominated sorting, crowding distance
// (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002) and the
// hypervolume. Every objective is minimised.
#pragma once

#include <span>
#include <vector>

namespace star::synthesis {

// What is known of an individual. All fitnesses compared have the same number of objectives.
struct Fitness {
  std::vector<double> objectives;
  double violation = 0;  // of the constraints; 0 is feasible
  bool failed = false;
};

// An objective or violation that is not a number counts as a failure.
bool has_failed(const Fitness& f);

// Feasible before infeasible before failed; between feasible ones Pareto domination, between
// infeasible ones less violation; failed ones are all equal.
bool dominates(const Fitness& a, const Fitness& b);

// The fronts, best first; the indices of a front ascend.
std::vector<std::vector<int>> sort_fronts(std::span<const Fitness> all);

// The crowding distance of each member of a front, in its order: for each objective the distance
// between its neighbours over the range of the front. Infinite at the ends.
std::vector<double> crowding_distance(std::span<const Fitness> all, const std::vector<int>& front);

// Rank (the number of the front, from 0) and crowding distance of each individual.
struct Standing {
  int rank;
  double crowding;
};
std::vector<Standing> standings(std::span<const Fitness> all);

// Lower rank, then more room.
bool better(const Standing& a, const Standing& b);
// All places, the best first; of equals the first.
std::vector<size_t> best_first(const std::vector<Standing>& standing);

// The share of the box between 0 and `reference` that the points dominate, in [0, 1], exactly.
// What is not below the reference in every objective contributes nothing; below 0 counts as 0.
// Throws Error unless the reference is positive and finite and the points have its size.
double hypervolume(const std::vector<std::vector<double>>& points,
                   const std::vector<double>& reference);

}  // namespace star::synthesis
