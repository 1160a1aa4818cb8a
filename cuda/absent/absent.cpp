// In place of the backend in a program without CUDA.
#include "cuda/cuda.h"
#include "cuda/rates.h"

namespace star {

const Rates& cuda_rates() { return cuda::kRates; }

const Backend& cuda_backend() {
  fail("cuda: this program computes on the processor alone; `make cuda` builds one for a GPU");
}

}  // namespace star
