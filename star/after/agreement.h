// How two orders of the same genomes agree.
#pragma once

#include <string>

#include "star/statistics.h"

namespace star::synthesis {

struct Agreement {
  std::string signal, target;  // what is cheap, what it stands for
  Kendall kendall;
  int64_t n;  // genomes
};

}  // namespace star::synthesis
