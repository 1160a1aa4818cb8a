// Valid genomes of anything: repair, and the neighbours of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "star/genome.h"

namespace star::synthesis {

// The valid genome nearest to a text of base-36 digits, changing as little as possible
// (star/README.md); a valid text comes back as it is. Missing digits are 1, digits out of range
// wrap. Of overrides, the first for a class or featurizer counts, one for a differential class goes
// to its base, and illegal operators change one digit at a time, each time the one that settles
// most, or go back to the pool's where no single digit helps. Throws Error for characters outside
// base 36 and for overrides of another shape than "c:…",
// "%c:…".
Genome repair(std::string_view text, const Pool& pool);

// The same for a genome whose digits may have any value.
Genome repair(Genome genome, const Pool& pool);

// The canonical genomes that a change of one digit to another value in its range leads to, after
// repair (a digit of a donor changes its followers); sorted by text, without the genome itself.
// The digits are those of the backbone and of the overrides present.
std::vector<Genome> neighbours(const Genome& genome, const Pool& pool);

}  // namespace star::synthesis
