// Who owns what in a backbone: the sharing digits of a genome worked out for its compiler.
#pragma once

#include <vector>

#include "liv/backbone.h"
#include "star/genome.h"

namespace star::synthesis {

// plan[l][g]: LIV l, feature group g in the order of LivClass::groups (all of them: the ones that
// cannot be shared are the LIV's own, beta goes with dt). With a feature goes everything that makes
// it: projection, convolution, bias. Both branches of a differential LIV follow the one plan.
//
// A donor comes before its followers in the list, inside a parallel run too: the LIVs of a run are
// computed in the order of the list, and the donor's feature is made of the donor's normed input.
using SharingPlan = std::vector<std::vector<FeatureSource>>;

// `genome` is valid, `pool` its effective pool.
SharingPlan plan_sharing(const Genome& genome, const Pool& pool);

}  // namespace star::synthesis
