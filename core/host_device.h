// What host and device have in common.
#pragma once

#include <cstdint>

// Marks a function that a kernel on a device may call.
#if defined(__CUDACC__)
#define STAR_HOST_DEVICE __host__ __device__
#else
#define STAR_HOST_DEVICE
#endif

namespace star {

// Into how many blocks n things are cut, the last perhaps shorter.
STAR_HOST_DEVICE inline int64_t blocks_of(int64_t n, int64_t block) {
  return (n + block - 1) / block;
}

}  // namespace star
