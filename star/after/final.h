// The best of a search and known architectures, trained longer, from several seeds and at several
// learning rates, and compared on the test part, which nothing has been chosen by.
#pragma once

#include <map>
#include <optional>

#include "star/after/rates.h"

namespace star::synthesis {

struct FinalOptions {
  std::vector<std::string> names = {"@transformer", "@hybrid", "@mamba"};  // baselines
  std::string from;           // of kSubjectGroups; empty: usual_group
  int top = 4;                // so many of the group, best first, or none …
  std::string by;             // … in this metric; empty: the search's first objective
  std::string against;        // a name or a genome; empty: the best baseline by validation loss
  int seeds = 3;              // of each training, from the study's on: the same for all subjects
  int64_t steps = 0;          // 0: four times the search's
  std::vector<double> rates;  // empty: the search's
};

struct FinalRow {
  Tuned tuned;
  bool baseline;
  // Over the seeds, at the best rate: the losses and accuracies that its evaluations have.
  std::map<std::string, Spread> spread = {};
  // Of the test loss to the reference's, seed by seed; none where there is no reference, this is
  // it, or all has failed. With one seed it is a mean without an interval: the standard errors of
  // two losses on one test part do not say by how much seeds differ, and the same windows are easy
  // for both.
  std::optional<PairedDifference> difference = {};

  double mean(const std::string& metric) const { return spread.at(metric).mean; }
};

struct FinalTable {
  FinalOptions options;        // nothing left open, but `against`
  std::vector<FinalRow> rows;  // the least test loss first, what failed last
  int reference = -1;          // its row
};

// Throws `Error` for a name, a group or a metric that is not known.
FinalTable final_table(const Study& study, FinalOptions options);

}  // namespace star::synthesis
