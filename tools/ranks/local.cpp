#include <cstdlib>

#include "core/error.h"
#include "tools/ranks/ranks.h"

namespace star {

std::unique_ptr<Workers> workers_for(const Search& search, const SearchSettings&, int count) {
  // Ranks that know nothing of each other would all search the same.
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  require(!ranks || std::atoi(ranks) <= 1,
          "mpirun has started {} processes of a program without MPI; `make mpi` builds one with it",
          ranks ? ranks : "");
  return search.local_workers(count);
}

int run_ranks(int argc, char** argv, int (*command)(int argc, char** argv)) {
  return command(argc, argv);
}

}  // namespace star
