// A search with a model in the place of the trainings (tools/experiments/loss_model.h): the search
// itself, with its run file and all it decides, in a fraction of a second.
#pragma once

#include "star/search.h"
#include "tools/experiments/loss_model.h"

namespace star::experiments {

// What a search had found by the end of a generation.
struct ReplayPoint {
  double steps = 0;        // of training, those of trainings that stopped on their way included
  double hypervolume = 0;  // of its archive, as the search itself judges it
  double truth = 0;  // likewise, with what is expected of its members in place of what a noisy
                     // training has said
  double best = 0;   // the quality that is expected of the member that seems best
};

// A point a generation. The objectives are `quality` and what is counted. Throws `Error` for
// settings that a search refuses.
std::vector<ReplayPoint> replay(const LossModel& model, const SearchSettings& settings);

// By linear interpolation: the hypervolume (truth) at so many steps, the last one beyond them; and
// the steps at which it is first reached, infinite where it never is.
double truth_at(const std::vector<ReplayPoint>& points, double steps);
double steps_to(const std::vector<ReplayPoint>& points, double truth);

}  // namespace star::experiments
