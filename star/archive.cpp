#include "star/archive.h"

#include <algorithm>
#include <cmath>

namespace star::synthesis {

void Archive::add(int individual, const Fitness& fitness) {
  if (has_failed(fitness)) return;
  for (const Member& m : members_)
    if (dominates(m.fitness, fitness)) return;
  std::erase_if(members_, [&](const Member& m) { return dominates(fitness, m.fitness); });
  members_.push_back({individual, fitness});
}

HypervolumeScale::HypervolumeScale(const std::vector<std::vector<double>>& first_front,
                                   const std::vector<double>& reference, int population)
    : ideal_(first_front.at(0)),
      range_(first_front.at(0).size()),
      reference_(1 + 1 / double(population - 1)) {
  for (size_t k = 0; k < ideal_.size(); ++k) {
    double nadir = ideal_[k];
    for (auto& point : first_front) {
      ideal_[k] = std::min(ideal_[k], point[k]);
      nadir = std::max(nadir, point[k]);
    }
    range_[k] = nadir - ideal_[k];
    if (range_[k] > 0) continue;
    const double left = (reference[k] - ideal_[k]) / reference_;
    range_[k] = left > 0 ? left : 1;
  }
}

double HypervolumeScale::of(std::vector<std::vector<double>> points) const {
  if (points.empty()) return 0;
  // `hypervolume` cuts off at 0: all is moved so that the best of each objective stands there.
  const size_t objectives = ideal_.size();
  std::vector<double> least(objectives, 0), reference(objectives);
  for (auto& point : points)
    for (size_t k = 0; k < objectives; ++k) {
      point[k] = (point[k] - ideal_[k]) / range_[k];
      least[k] = std::min(least[k], point[k]);
    }
  double boxes = 1;  // the box that `hypervolume` measures by, over the unit
  for (size_t k = 0; k < objectives; ++k) {
    for (auto& point : points) point[k] -= least[k];
    reference[k] = reference_ - least[k];
    boxes *= reference[k] / reference_;
  }
  return hypervolume(points, reference) * boxes;
}

}  // namespace star::synthesis
