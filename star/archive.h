// All that was evaluated and that nothing else dominates: the front of a run, whatever the
// algorithm that breeds. What has once been found is not lost with the population that it left, so
// that the hypervolume of an archive never falls as long as it is only added to.
#pragma once

#include <vector>

#include "star/pareto.h"

namespace star::synthesis {

class Archive {
 public:
  // Individuals come in ascending order; failed ones are not taken. As long as none keeps the
  // bounds, those stay that come nearest to them.
  void add(int individual, const Fitness& fitness);

  struct Member {
    int individual;
    Fitness fitness;
  };
  const std::vector<Member>& members() const { return members_; }  // ascending

 private:
  std::vector<Member> members_;
};

// The hypervolume of fronts on a scale of their own, to see progress: objectives from 0 at the
// ideal point of a first front to 1 at its nadir point, the reference at r = 1 + 1/(N − 1) for a
// population of N (Ishibuchi et al., "How to specify a reference point in hypervolume calculation
// for fair performance comparison", 2018), and the box from ideal to reference as the unit. What is
// better than the ideal counts too. An objective without a range on that front is scaled to end at
// the absolute reference.
class HypervolumeScale {
 public:
  HypervolumeScale(const std::vector<std::vector<double>>& first_front,
                   const std::vector<double>& reference, int population);
  double of(std::vector<std::vector<double>> points) const;  // 0 of none

 private:
  std::vector<double> ideal_, range_;
  double reference_;  // r
};

}  // namespace star::synthesis
