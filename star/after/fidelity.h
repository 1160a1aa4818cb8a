// How well what a search goes by predicts what it would be dear to know: the loss after a short
// training that after a long one, on the test part, and in another task; counted sizes, measured
// memory and latency.
#pragma once

#include "star/after/agreement.h"
#include "star/after/study.h"

namespace star::synthesis {

struct FidelityOptions {
  int sample = 12;              // genomes, drawn from all that the search has evaluated
  int64_t steps = 0;            // of the long training; 0: four times the search's
  int64_t context = 0;          // tokens at which is measured; 0: the search's cache context
  std::string downstream = {};  // a task to train on too (star/tasks.h); empty: none
};

struct FidelityRow {
  Subject subject;
  Evaluation longer = {}, measured = {}, task = {};

  bool ok() const { return longer.ok() && measured.ok() && task.ok(); }
  std::string failure() const;  // of the first that failed; empty where none did
};

struct FidelityTable {
  FidelityOptions options;            // nothing left open
  std::vector<FidelityRow> rows;      // best first in the search, by the mean over its seeds
  std::vector<Agreement> agreements;  // of the rows in which nothing failed
};

// The sample is drawn by the study's seed. Throws `Error` for a task that is not known.
FidelityTable fidelity_table(const Study& study, FidelityOptions options);

}  // namespace star::synthesis
