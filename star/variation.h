// Variation: crossover and mutation of genomes. Results are valid and canonical, and depend on the
// state of the generator alone.
#pragma once

#include "core/rng.h"
#include "star/genome.h"

namespace star {

struct VariationConfig {
  double rate = 0.1;  // of each digit to be drawn anew, of a segment to be inserted or deleted
  int cuts = 2;       // of a crossover; as many as there are boundaries if there are fewer
  int min_depth = 8, max_depth = 8;  // LIVs; segments come and go where these differ
  bool backbone = true;              // level 3: segments are mutated, and cross
  bool operators = false;            // level 2: mutation redraws operator digits
  bool featurizers = false;          // level 1: mutation redraws featurizer digits
};

// A random genome with a depth in the range; its operators and featurizers are the pool's, mutated
// once where their level evolves.
Genome random_genome(Rng& rng, const Pool& pool, const VariationConfig& config);

// k-point crossover at segment boundaries: pieces of `a` and `b` in turn, the first from `a`; the
// cuts lie within the shorter of the two; where the backbone does not evolve, it is that of `a`.
// Each override comes from either parent, whole.
Genome crossover(Rng& rng, const Genome& a, const Genome& b, const Pool& pool,
                 const VariationConfig& config);

// Draws each digit anew with probability `rate`, on the levels that evolve: those of the backbone,
// of the operators and of the featurizers that it uses; inserts or deletes a segment where the
// depth may change. Repair may change digits of other levels to fit.
Genome mutate(Rng& rng, const Genome& genome, const Pool& pool, const VariationConfig& config);

}  // namespace star
