// What a run file holds of trainings, as rows for other programs: CSV (RFC 4180 with plain ends of
// lines, a head, values as short as they are read back bit for bit, nothing where there is no
// number), or a JSON object a line. A row is one training of a genome, by its recipe
// (star/store.h); those that were bred first come first.
#pragma once

#include <string>
#include <vector>

#include "star/store.h"

namespace star::synthesis {

// The name stands in the first column, or as "run", of every row.
struct NamedRun {
  std::string name;
  RunContents contents;
};

// run, genome, generation, place, origin, parents, front, recipe, status, failure, seconds, and a
// column for every metric that any training has. A genome that was bred several times is shown as
// it was first; of one that was not bred (a baseline) generation, place, origin and parents are
// empty. `front`: 1 for those of the last generation's front, else 0. Parents have spaces between
// them.
std::string trainings_csv(const std::vector<NamedRun>& runs);

// run, genome, recipe, step, loss: the points of every curve.
std::string curves_csv(const std::vector<NamedRun>& runs);

// The same of a training in one object: "metrics" is an object, "curve" a list of [step, loss].
std::string trainings_json_lines(const NamedRun& run);

}  // namespace star::synthesis
