// The orders in which a contraction can be computed, as they are told (autograd/contraction.h).
#pragma once

#include <string>
#include <vector>

#include "autograd/cost.h"

namespace star {

struct ContractionStep {
  std::string what;  // "bihn,bjhn->bhij"
  Cost cost;
};

struct ContractionOrder {
  std::string name;  // of the list in contraction.h; "chunks of 64"
  std::vector<ContractionStep> steps;
  Cost cost;
};

struct ContractionPlan {
  std::vector<ContractionOrder> orders;  // all that fit
  size_t chosen = 0;
  const ContractionOrder& best() const { return orders[chosen]; }
};

}  // namespace star
