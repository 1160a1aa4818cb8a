// Where models are computed: "cpu" or "cuda".
#pragma once

#include <string>

#include "core/exec.h"

namespace star {

// Throws `Error` for a device that this machine lacks or this program was built without.
const Backend& backend_named(const std::string& device);

// Throws as backend_named does, and asks in a process of its own: what forks workers must not have
// started CUDA itself.
void check_device(const std::string& device);

}  // namespace star
