// Known architectures trained as a search trained its candidates, beside its front.
#pragma once

#include <map>

#include "star/after/rates.h"

namespace star::synthesis {

// What a member of the front saves against a baseline that it dominates.
struct Gain {
  std::string genome;
  std::map<std::string, double> share;  // of the baseline's value; none where that is 0
};

struct BaselineRow {
  Tuned tuned;  // one seed
  bool baseline;
  bool measured = false;  // its evaluation was completed by what the search measures
  std::vector<Gain> dominated_by = {};

  const Evaluation& evaluation() const { return tuned.chosen().by_seed[0]; }
};

// The objectives of the search, and the figures that are known anyway.
std::vector<std::string> baseline_columns(const SearchSettings& settings);

// The baselines in the order of their names, then the front. Without `rates` all are at the
// search's, and the front as the search has it, of several seeds the means; with them all of both
// are trained at every rate.
std::vector<BaselineRow> compare_baselines(const Study& study,
                                           const std::vector<std::string>& names,
                                           const std::vector<double>& rates);

}  // namespace star::synthesis
