// A GPU as a backend, for whoever chooses where to compute. Every program has these; one that was
// built without CUDA refuses (cuda/absent).
#pragma once

#include "core/exec.h"

namespace star {

// An NVIDIA GPU; in a program with the emulator, this processor in its place. Throws `Error` where
// the machine has none, or the program was built without. A process that has called it has started
// CUDA, which does not work in its forks then.
const Backend& cuda_backend();

// Needs no device.
const Rates& cuda_rates();

}  // namespace star
