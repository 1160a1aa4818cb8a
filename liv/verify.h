// An operator judged as a whole: its certificates, and whether its four views agree.
#pragma once

#include <functional>

#include "liv/certificate.h"

namespace star::liv {

// On random weights and input of one class:
//   the certificates            of T(x) in double precision
//   dense float32               materialize against the parallel form (float64 is the residual)
//   recurrent float64, float32  decoding token by token against the parallel form
//   prefill float64, float32    the same after half of the tokens at once
//   cache                       floats held in decoding against the formula, at every length
//   parameters                  numbers in tensors against the count made without running
// Throws `Error` where the class does not fit the sizes, or `length` is below least_length.
std::vector<Check> verify(Exec& exec, const LivClass& liv, const Sizes& sizes, int64_t length,
                          uint64_t seed);

// y of tokens [1, n, d] that continue what the state has seen.
using DecodeStep = std::function<Tensor(const Tensor& tokens, State& state)>;

struct Decoded {
  std::vector<double> y;  // [L][d]
  double cache = 0;       // by how many floats the state differed from the formula, at most
};

// Decodes x [1, L, d]: the first `prefill` tokens at once, then one at a time.
Decoded decode(Exec& exec, const Tensor& x, int64_t prefill, const DecodeStep& step,
               const std::function<int64_t(int64_t context)>& cache_floats);

}  // namespace star::liv
