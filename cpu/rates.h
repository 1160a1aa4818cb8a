// What the planner of contractions knows of a processor.
#pragma once

#include "core/kernels.h"
#include "core/rates.h"

namespace star::cpu {

// Of one core. A transform takes 5 N log₂ N FLOPs, at about half the rate of a convolution.
inline constexpr Rates kRates{.byte = 8,
                              .operation = 5e4,
                              .transform = 10,
                              .short_kernel = 8,
                              .state_chunk = kStateChunk,
                              .channel_chunk = kChannelChunk};

}  // namespace star::cpu
