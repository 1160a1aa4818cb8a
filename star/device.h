// Where models are computed: "cpu" or "cuda". Whoever wants a backend finds it here, by its name.
#pragma once

#include <string>

#include "core/exec.h"

namespace star {

// Throws `Error` for a device that this machine lacks or this program was built without.
const Backend& backend_named(const std::string& device);

// What things cost there; no device is needed to know it. Throws `Error` for a name that is none.
const Rates& rates_named(const std::string& device);

// Throws as backend_named does, and asks in a process of its own: what forks workers must not have
// started CUDA itself.
void check_device(const std::string& device);

// Whose kernels compute on this processor, which the last digits of results depend on: those of an
// instruction set, and those that OpenBLAS chose.
struct CpuKernels {
  std::string target, blas;
  bool operator==(const CpuKernels&) const = default;
};
CpuKernels cpu_kernels();

}  // namespace star
