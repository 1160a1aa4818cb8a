// A GPU as a backend, for whoever chooses where to compute. Every program has these; one that was
// built without CUDA refuses (cuda/absent).
#pragma once

#include "core/exec.h"

namespace star {

inline constexpr int kAnyDevice = -1;

// An NVIDIA GPU, by its number on this machine; in a program with the emulator, this processor in
// its place. Any device: in an MPI job the processes of a machine share its devices out, elsewhere
// it is the first. The backend's target is the card's name and the version of cuBLAS.
//
// Throws `Error` where the machine has none such, the program was built without, the environment
// asks for products of less precision, or this process computes on another device already. A
// process that has called it has started CUDA, which does not work in its forks then.
const Backend& cuda_backend(int number = kAnyDevice);

// Needs no device.
const Rates& cuda_rates();

// Kernels, products and copies that this thread has had the device do so far; those of a recorded
// graph each time that it runs.
int64_t cuda_launches();

}  // namespace star
