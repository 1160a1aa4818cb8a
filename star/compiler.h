// From a genome to the backbone that it describes.
#pragma once

#include "liv/backbone.h"
#include "star/genome.h"

namespace star {

// The blocks of a valid genome; `pool` is the pool in force, to which the genome's overrides are
// applied.
std::vector<Block> compile(const Genome& genome, const Pool& pool);

}  // namespace star
