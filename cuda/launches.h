// How much this thread of the host has had the device do.
#pragma once

#include <cstdint>

namespace star::cuda {

// Kernels, products and copies so far; those of a graph each time that it runs.
inline int64_t& launches() {
  static thread_local int64_t count = 0;
  return count;
}

}  // namespace star::cuda
