// The processor as a backend, for whoever chooses where to compute.
#pragma once

#include <vector>

#include "core/exec.h"

namespace star {

// The best of the builds for this processor, or the one that the environment variable
// STAR_CPU_TARGET names. Throws `Error` for a target that is unknown or not supported here.
const Backend& cpu_backend();
// All that this processor supports, the widest first.
std::vector<const Backend*> cpu_backends();

const Rates& cpu_rates();

// Which kernels OpenBLAS chose, for the record of a run.
const char* blas_core();

}  // namespace star
