// A run file as the commands read it: opened, and found to make sense.
//
// Anybody may change a run file with SQLite's tools. What the store reads has the right types and
// refers to rows that exist (star/store.h); here, what it says is held against itself: settings in
// their ranges, generations and places without gaps, genomes that are genomes, parents bred before
// their children, results of all that was told, fronts of members that have succeeded. Whoever
// reads a run that was opened so need not ask again.
#pragma once

#include "star/search_settings.h"
#include "star/store.h"

namespace star::synthesis {

struct CheckedRun {
  RunFile file;
  SearchSettings settings;
  RunContents contents;  // when it was opened
};

// Throws `Error`, one line that begins with the path and says what is missing or wrong. `claim`: as
// the only one that goes on with the run (RunFile::claim).
CheckedRun open_run_file(const std::string& path, bool claim = false);

// The part that compares; errors begin with `name`.
void check_run(const RunContents& contents, const SearchSettings& settings,
               const std::string& name);

}  // namespace star::synthesis
