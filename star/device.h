// Where models are computed: "cpu", "cuda" or, of several GPUs, "cuda:1". Whoever wants a backend
// finds it here, by its name.
#pragma once

#include <string>

#include "core/exec.h"

namespace star::synthesis {

inline constexpr int kMostDevices = 1024;
bool is_device(const std::string& text);  // whether this machine has it or not

// Whether it is a GPU. Throws `Error` for what is no device.
bool is_cuda(const std::string& device);

// Throws `Error` for a device that this machine lacks or this program was built without.
const Backend& backend_named(const std::string& device);

// What things cost there; no device is needed to know it. Throws `Error` for a name that is none.
const Rates& rates_named(const std::string& device);

// The target of a device (core/exec.h); empty for the CPU, whose kernels are below. Throws as
// backend_named does, and asks in a process of its own: what forks workers must not have started
// CUDA itself.
std::string check_device(const std::string& device);

// Of this thread, as cuda_launches (cuda/cuda.h).
int64_t device_launches();

// Whose kernels compute on this processor, which the last digits of results depend on: those of an
// instruction set, and those that OpenBLAS chose.
struct CpuKernels {
  std::string target, blas;
  bool operator==(const CpuKernels&) const = default;
};
CpuKernels cpu_kernels();

}  // namespace star::synthesis
