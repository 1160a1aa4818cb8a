// What the planner says of a network.
#pragma once

#include <set>

#include "autograd/contraction.h"
#include "autograd/plan.h"
#include "cpu/cpu.h"

namespace star {

inline ContractionPlan plan_of(const std::string& network, const std::vector<Shape>& shapes,
                               const Rates& rates = cpu_rates()) {
  return Contraction(network).plan(shapes, rates);
}

inline std::set<std::string> names_of(const ContractionPlan& plan) {
  std::set<std::string> names;
  for (auto& order : plan.orders) names.insert(order.name);
  return names;
}

}  // namespace star
