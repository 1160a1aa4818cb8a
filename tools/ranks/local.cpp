#include <cstdlib>

#include "core/error.h"
#include "core/number.h"
#include "tools/ranks/ranks.h"

namespace star::cli {

std::unique_ptr<Workers> workers_for(const Search& search, const SearchSettings&, int asked,
                                     int usual) {
  // Ranks that know nothing of each other would all search the same.
  const char* ranks = std::getenv("OMPI_COMM_WORLD_SIZE");
  require(!ranks || read_number<int>(ranks).value_or(2) <= 1,
          "mpirun has started {} processes of a program without MPI; `make mpi` builds one with it",
          ranks ? ranks : "");
  return search.local_workers(asked > 0 ? asked : usual);
}

int run_ranks(int argc, char** argv, int (*command)(int argc, char** argv)) {
  return command(argc, argv);
}

}  // namespace star::cli
