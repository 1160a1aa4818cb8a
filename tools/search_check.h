// The end of a search: what it was worth.
#pragma once

#include "star/after/check.h"
#include "tools/run_command.h"

namespace star::cli {

struct CheckWork {
  int workers;         // trainings at a time
  bool retry;          // what failed before is trained again
  bool quiet;          // without progress
  std::string onward;  // the command that goes on with the search
};

// Trains what the check wants and the run file does not hold, in worker processes, and keeps it
// there. Nothing where there is nothing to compare; where the data has no test part, after a
// warning. Throws `Interrupted`, and `Failure` where the machine does not let it.
std::optional<SearchCheck> check_found(RunFile& file, const SearchSettings& settings,
                                       const Dataset& data, const CheckWork& work);

nlohmann::json check_json(const std::optional<SearchCheck>& check);  // null for nothing
std::string check_text(const SearchCheck& check);                    // lines

}  // namespace star::cli
