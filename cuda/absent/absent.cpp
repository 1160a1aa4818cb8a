// In place of the backend in a program without CUDA.
#include "cuda/cuda.h"
#include "cuda/rates.h"

namespace star {

const Rates& cuda_rates() { return cuda::kRates; }

int64_t cuda_launches() { return 0; }

const Backend& cuda_backend(int) {
  fail("cuda: this program computes on the processor alone; `make cuda` builds one for a GPU");
}

}  // namespace star
