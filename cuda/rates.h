// What the planner of contractions knows of a GPU, in every program.
#pragma once

#include "core/rates.h"

namespace star::cuda {

inline constexpr int64_t kTile = 32;  // rows and columns of a tile of pairs

// As on an H100 in float: 51 TFLOP/s beside 3.35 TB/s, and about 2.5 µs a launch. conv_fourier sums
// directly here: there is no transform.
inline constexpr Rates kRates{.byte = 15,
                              .operation = 1.3e8,
                              .transform = 0,
                              .short_kernel = 8,
                              .state_chunk = kTile,
                              .channel_chunk = kTile};

}  // namespace star::cuda
