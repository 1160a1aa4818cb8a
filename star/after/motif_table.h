// What the genomes that a search has kept have in common (star/motifs.h), against those that it
// began with and random ones, and its effect among all that it has evaluated.
#pragma once

#include "star/after/study.h"
#include "star/motifs.h"

namespace star::synthesis {

struct MotifOptions {
  std::string from = "front";  // of kSubjectGroups
  int random = 1000;           // genomes to compare with, drawn by the study's seed
  int least = 2;               // motifs of at least so many genomes
};

struct MotifTable {
  MotifOptions options;
  MotifSets kept;
  std::map<std::string, MotifSets> others;  // "initial", "random"
  Judged judged;                            // by the mean over the seeds of the search
  std::vector<MotifFinding> findings;
};

// Throws `Error` for a group that is not known, or that has nobody.
MotifTable motif_table(const Study& study, const MotifOptions& options);

}  // namespace star::synthesis
