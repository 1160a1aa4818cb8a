// The majority of genomes by place: of the best of a search, what most of them have in each place,
// after the aggregation of Composer (arXiv 2510.00379). One loss is noisy; what many good genomes
// have in common is less so.
#pragma once

#include <string>
#include <vector>

#include "star/genome.h"

namespace star::synthesis {

struct ConsensusPlace {
  Segment segment;  // as voted, before repair
  int votes;        // genomes that have its class in this place …
  int of;           // … of those that have the place
};

struct Consensus {
  Genome genome;  // valid and canonical
  std::vector<ConsensusPlace> places;
  int depth_votes;  // genomes of this depth
};

// `ranked` are valid genomes of the pool, best first, at least one. The depth is that of most. In a
// place, the genomes that have it vote for the class, and those that have that class there for each
// of the other digits: groups and strategies mean nothing to other classes. Overrides are voted for
// whole, by the genomes with operators or featurizers that they would change; to have none is a
// vote too. Of equal votes those count that the best ranked genome is among.
Consensus consensus_of(const std::vector<Genome>& ranked, const Pool& pool);

}  // namespace star::synthesis
