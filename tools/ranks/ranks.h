// Who works on the candidates of a search: processes on this machine (local.cpp), or, in the binary
// that `make mpi` builds, the ranks of an MPI job (mpi.cpp). Rank 0 runs the command line, evolves
// and stores; every other rank answers one request at a time, in a child process, so that a crash
// there is one failed candidate.
#pragma once

#include <memory>

#include "star/search.h"

namespace star::cli {

// As many workers as were asked for, or with 0 `usual` ones, here; under MPI with several ranks,
// all ranks but this one. Error: others were asked for.
std::unique_ptr<Workers> workers_for(const Search& search, const SearchSettings& settings,
                                     int asked, int usual);

// Runs the command line, `command`, and returns its exit status; where this process is another rank
// than 0, serves the searches that rank 0 runs.
int run_ranks(int argc, char** argv, int (*command)(int argc, char** argv));

}  // namespace star::cli
