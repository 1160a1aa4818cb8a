// Kernels of Toeplitz operators.
#pragma once

#include "liv/parameters.h"

namespace star::liv {

// The convolution kernel K [taps, C], K_τ meeting the token τ back, of weights [C, taps] whose last
// column meets the current token.
Var kernel_of_taps(const Var& weights);

// The implicit filter of GConv-2 (Poli et al., "Hyena hierarchy", 2023): a small network of the
// position, under an exponential window, for C channels and the training length Lr:
//   K(t) = (W₂ sin(W₁ p(t) + b₁)) · exp(−softplus(δ) t),
//   p(t) = [t/Lr, cos(2πft/Lr) f = 1…8, sin(2πft/Lr) f = 1…8].
std::vector<ParameterSpec> filter_parameters(int64_t channels, int64_t training_length);
// K(t) for t = first … first + taps − 1: [taps, C].
Var filter_kernel(const Weights& weights, int64_t first, int64_t taps, int64_t training_length);

}  // namespace star::liv
