// Trainings of one genome from several seeds, judged as one: whoever enters a front by luck is
// found out by the next seed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "star/objectives.h"
#include "star/search_settings.h"
#include "star/store.h"

namespace star::synthesis {

// How many trainings a member of a generation's front must have: one without --reseed, otherwise
// one and so many more, and at the end of the search two beyond these.
int seeds_wanted(const SearchSettings& settings, int generation);

// The first seed of the trainings that judge what a search has found (`check`, `final`, `fidelity`),
// far after all of its own: it has chosen by those, so they flatter it.
uint64_t judging_seed(const SearchSettings& settings);

struct SeedMean {
  Evaluation mean;    // the first, with the mean of each metric over the trainings that have it; a
                      // failure where one of them failed
  int seeds = 1;      // trainings
  Metrics deviation;  // of each metric that several have, over n − 1
};

// The search's own trainings of a genome, the first seed first; not empty.
SeedMean over_seeds(const std::vector<const Evaluation*>& trainings);

// Of a run what its search knows at the end of its last complete generation, by genome: of each
// that was trained to its end.
std::map<std::string, SeedMean> results_over_seeds(const SearchSettings& settings,
                                                   const std::vector<Evaluation>& evaluations,
                                                   int generations);

}  // namespace star::synthesis
