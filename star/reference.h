// Known designs as the measure of a run: where its hypervolume ends, and bounds that are theirs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "star/search_settings.h"
#include "star/store.h"
#include "star/workers.h"

namespace star::synthesis {

// What is counted of a named genome, at the run's largest depth unless the name says another, and at
// its sizes. Throws `Error`.
Metrics counted_of_design(const SearchSettings& settings, const std::string& name);

// By objective: quality ln V, the others twice the value of a Transformer of the run's depth and
// sizes, which is measured where an objective is; what the settings give stands. Nothing:
// interrupted. Throws `Error` where it cannot be measured.
std::optional<std::map<std::string, double>> reference_point(const SearchSettings& settings,
                                                             Workers& workers,
                                                             const Interrupt& interrupted);

// The same in the order of the objectives: the run file's, where it has it, or else recorded there.
std::optional<std::vector<double>> reference_of_run(const SearchSettings& settings, RunFile& file,
                                                    Workers& workers, const Interrupt& interrupted);

}  // namespace star::synthesis
