// How far apart lists of numbers are.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace star {

// The largest |a − b|; infinite where a number is no number, or has no partner.
inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace star
