// What a search was worth: the best of what it found against the best named design of no more
// parameters, trained alike, longer than the search trains and from several seeds, on the test
// part. Which is best on either side, the longer training from the first seed says, by its
// validation loss: short ones order what is nearly equal hardly better than the toss of a coin.
//
// Both have the learning rate of the search. Which rate is best for each, `star final` says.
#pragma once

#include <optional>

#include "star/after/rates.h"
#include "star/run_check.h"

namespace star::synthesis {

inline constexpr int kCheckSeeds = 3;
inline constexpr int kCheckSteps = 4;  // times the search's
inline constexpr int kFinalists = 6;   // of the front, the best by the search's own trainings

struct CheckSide {
  std::string name;  // of a named design
  std::string genome;
  int64_t params = 0;
  AtRate trained = {};
  Spread loss = {};  // on the test part, over the seeds
};

struct SearchCheck {
  int64_t steps = 0;
  // The best of the finalists: the members of the front with the best quality that are no named
  // designs, or with one objective the best of all evaluated. An empty genome where there is none:
  // then the search has found nothing to check.
  CheckSide found;
  std::vector<std::string> finalists;  // their genomes
  CheckSide design;
  // Those of which the design is the best: all of no more parameters than what was found, or, where
  // `larger`, all.
  std::vector<std::string> designs;
  bool larger = false;
  PairedDifference difference = {};  // of the test losses, found − design
  std::string failure;               // empty, or why there is nothing to compare

  // By more than twice the standard error of the difference.
  bool better() const { return difference.mean + 2 * difference.standard_error < 0; }
  bool worse() const { return difference.mean - 2 * difference.standard_error > 0; }
};

// Nothing where there is nothing to compare with: no front, no named design that the pool has and
// that fits the sizes, a search that trains no steps.
std::optional<SearchCheck> check_search(const Study& study);

// The finalist that a check has found best, from what the run holds of its trainings; empty where it
// does not hold all of them.
std::string best_of_check(const Study& study);

// What a search hands to its user: that, or else the best of its front. Errors as of best_of_front.
std::string best_of_run(const CheckedRun& run, const std::string& path);

// The named designs at the run's depth, all of whose classes are of the run's pool, and that fit
// its sizes; of those that are one at this depth the first.
std::vector<Subject> named_designs(const Study& study);

}  // namespace star::synthesis
