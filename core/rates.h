// What things cost on a backend beside its multiplications, and what its kernels are good for: what
// the order of a contraction is chosen by (autograd/contraction.h). Data, known without a device.
#pragma once

#include <cstdint>

namespace star {

// Costs are in FLOPs: what the backend could compute in products of matrices meanwhile.
struct Rates {
  double byte;       // to move a byte
  double operation;  // to start an operation
  double transform;  // a Fourier transform of N complex numbers: N log₂ N of them; 0: it has none
  int64_t short_kernel;   // taps up to which a gated convolution is best summed in one pass
  int64_t state_chunk;    // tokens between which the kernels of a matrix state take scores
  int64_t channel_chunk;  // the same of a state with a decay a key channel
};

}  // namespace star
