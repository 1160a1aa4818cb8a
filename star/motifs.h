// Recurring motifs: what the backbones that a search has kept have in common, beyond what chance
// puts there (star/README.md).
#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "star/genome.h"

namespace star::synthesis {

// A feature that a backbone has or has not, in the words of the pool:
//   class     a LIV of the class stands in it                 SA-1
//   pair      two neighbours, in order                        SA-1 → GMemless
//   triple    three                                           SA-1 → GMemless → Rec-1
//   sharing   a group shares, by class or at all              SA-1 features k v;  any weights
// ∥ stands between neighbours that read the same; their order means nothing and is that of their
// names. A class whose operator the genome overrides has its digits beside the name, SA-1:12133.
struct Motif {
  std::string kind;
  std::string text;
  auto operator<=>(const Motif&) const = default;
};

const std::vector<std::string>& motif_kinds();

// Each motif once, however often it occurs. `genome` is valid in `pool`.
std::set<Motif> motifs_of(const Genome& genome, const Pool& pool);

// Motifs of each of several genomes.
using MotifSets = std::vector<std::set<Motif>>;

// Whether a group of genomes has a motif more often than others have it: in how many of each, and
// Fisher's exact test, one-sided. `adjusted` is by Benjamini and Hochberg over all motifs of the
// kind that occur in either.
struct Enrichment {
  int others = 0;
  double p = 1, adjusted = 1;
};

// An objective among the genomes that have a motif, and among those that have it not.
struct Effect {
  double mean_with = 0, mean_without = 0;
  // Of the rank-sum test; adjusted over the motifs of the kind that are in `effects`.
  double p = 1, adjusted = 1;
};

struct MotifFinding {
  Motif motif;
  int count = 0;                            // genomes of the group that have it
  std::map<std::string, Enrichment> among;  // by the name of the others
  int with = 0, without = 0;                // evaluated genomes
  std::map<std::string, Effect> effects;    // by objective; empty where fewer than `least` genomes
                                            // have it, or have it not
};

// Evaluated genomes, and the value of each for each objective.
struct Judged {
  MotifSets motifs;
  std::map<std::string, std::vector<double>> objectives;
};

// The motifs of at least `least` genomes of the group, by kind, then by the least p-value. Tests
// regard genomes as independent draws; those of a population are relatives, so that a p-value ranks
// motifs rather than proves them.
std::vector<MotifFinding> find_motifs(const MotifSets& group,
                                      const std::map<std::string, MotifSets>& others,
                                      const Judged& judged, int least);

}  // namespace star::synthesis
