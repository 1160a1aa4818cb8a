// Variation: crossover and mutation of genomes. Results are valid and canonical, and depend on the
// state of the generator alone.
#pragma once

#include "core/rng.h"
#include "star/genome.h"

namespace star::synthesis {

struct VariationConfig {
  double rate = 0.1;  // of each digit to become another, of each change of the backbone's structure
  int cuts = 2;       // of a crossover; as many as there are boundaries if there are fewer
  int min_depth = 8, max_depth = 8;  // LIVs; segments come and go where these differ
  bool backbone = true;              // level 3: segments are mutated, and cross
  bool operators = false;            // level 2: mutation redraws operator digits
  bool featurizers = false;          // level 1: mutation redraws featurizer digits
};

// A random valid canonical genome, without overrides: classes in the shares of star/shares.h,
// independent of each other, sharing as in star/draft.h. Throws Error for a depth below 1.
Genome random_genome(Rng& rng, const Pool& pool, int depth);

// One with a depth in the range, each equally likely; its operators and featurizers are the pool's,
// mutated once where their level evolves.
Genome random_genome(Rng& rng, const Pool& pool, const VariationConfig& config);

// k-point crossover at segment boundaries: pieces of `a` and `b` in turn, the first from `a`; the
// cuts lie within the shorter of the two; where the backbone does not evolve, it is that of `a`.
// What shared with a LIV that stayed behind shares with another of its class, if there is one.
// Each override comes from either parent, whole.
Genome crossover(Rng& rng, const Genome& a, const Genome& b, const Pool& pool,
                 const VariationConfig& config);

// Changes, each with probability `rate`, on the levels that evolve:
//   each class, strategy and sixth digit, and each digit of the operators and featurizers in use,
//     into another of its values;
//   each LIV joins the group of an earlier one of its class, or leaves it, or changes over;
//   two LIVs change places, or one moves elsewhere, or a copy of one takes the place of another;
//   where the depth may change, no copy takes a place, but a LIV comes, random or a copy, or goes.
// On the backbone a change is accepted with the probability that keeps the shares of random genomes
// (star/shares.h): without selection, crossover and mutation leave these as they are. (Nearly: a
// mutation that changes nothing is tried again, a bounded number of times, so that genomes with
// less to change are left sooner; and copies bring LIVs of one class together.) Repair may
// change digits of other levels to fit.
Genome mutate(Rng& rng, const Genome& genome, const Pool& pool, const VariationConfig& config);

}  // namespace star::synthesis
