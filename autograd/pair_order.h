// In which order the factors of a product meet. The result is the same; the work is not.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "autograd/cost.h"

namespace star {

using Extents = std::map<char, int64_t>;  // of the letters

// Each step replaces two operands by their product, which is appended to the list. Operands are
// numbered as the factors first, then the products.
struct PairOrder {
  struct Step {
    int first, second;
    std::string letters;  // of the product
    Cost cost;
  };
  std::vector<Step> steps;
  Cost cost;
};

// One product: every letter of the two factors is walked once, the letters of `result` stay.
Cost pair_cost(const std::string& a, const std::string& b, const std::string& result,
               const Extents& extents);

// The order of least Cost::time(), by dynamic programming over the subsets of the factors (at most
// 12, `Error` beyond). Letters that only one factor has are in the result.
PairOrder cheapest_pairs(const std::vector<std::string>& factors, const std::string& result,
                         const Extents& extents, const Rates& rates);

}  // namespace star
