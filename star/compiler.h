// From a genome to the backbone that it describes.
#pragma once

#include "liv/backbone.h"
#include "star/genome.h"

namespace star::synthesis {

// The blocks of a valid genome; `pool` is the pool in force, to which the genome's overrides are
// applied.
std::vector<Block> compile(const Genome& genome, const Pool& pool);

// A deeper model: the backbone so many times in a row. Each copy shares within itself what the
// backbone shares, and nothing with the others: a group that went on through the copies would keep
// the weights and the cache of one while the depth grows, and no genome could write it.
std::vector<Block> repeated(const std::vector<Block>& blocks, int times);

// The same blocks in another order: each LIV so many times in place, A B becoming A A B B; LIVs
// that read in parallel are one layer and repeat together. The n-th copy of a LIV shares with the
// n-th copies of those with which the LIV shares, so that parameters and cache are those of
// `repeated`, and what differs is the order alone.
std::vector<Block> stretched(const std::vector<Block>& blocks, int times);

}  // namespace star::synthesis
