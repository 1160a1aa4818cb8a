// The kernel cases of tests/kernels run on the CUDA device, twice: its results do not depend on chance.
#include "cuda/cuda.h"
#include "tests/kernels/cases.h"

std::vector<star::Place> star::places() { return {{&cuda_backend(), 2}}; }
