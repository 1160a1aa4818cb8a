// A genome of one pool written in another. Programs that read checkpoints know the default classes
// only: what a user's pool defines is written as overrides of these.
#pragma once

#include <optional>

#include "star/genome.h"

namespace star::synthesis {

// The canonical genome in `to` of the same architecture as a valid genome in `from`: equal blocks
// but for the ids and names of classes. A class keeps its id where it can and moves to another
// where it cannot. None where `to` has too few classes, or no featurizer of the same roles in the
// same order.
std::optional<Genome> translate(const Genome& genome, const Pool& from, const Pool& to);

}  // namespace star::synthesis
