// What every kernel's file includes: CUDA itself under nvcc, and under a plain C++ compiler the
// emulator, which checks each access. Both offer
//   global(p)           the array behind a device pointer,
//   load_four(p, out)   four numbers at once, store_words(shared, at, words): two or four,
//   SharedMemory        hands out the block's shared memory: take<T>(count) gives a Shared<T>,
//   launch(kernel, grid, threads, shared, stream, arguments…)
// beside threadIdx, __syncthreads, __shfl_xor_sync and the like. Kernels touch memory through
// global() and Shared alone. There are no atomics: results do not depend on the order of threads.
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <type_traits>

#include "core/error.h"
#include "cuda/launches.h"

// Before a loop over what lies in registers, which have no addresses.
#define STAR_UNROLL _Pragma("unroll")

namespace star::cuda {

template <class T>
__device__ T* global(T* pointer) {
  return pointer;
}
template <class T>
using Shared = T*;

// Four numbers at once, from an address of 16 bytes.
__device__ inline void load_four(const float* from, float (&out)[4]) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  out[0] = four.x, out[1] = four.y, out[2] = four.z, out[3] = four.w;
}

// Two or four words at once, to a place that is a multiple of so many.
__device__ inline void store_words(Shared<uint32_t> to, int64_t at, const uint32_t (&words)[2]) {
  *reinterpret_cast<uint2*>(to + at) = make_uint2(words[0], words[1]);
}
__device__ inline void store_words(Shared<uint32_t> to, int64_t at, const uint32_t (&words)[4]) {
  *reinterpret_cast<uint4*>(to + at) = make_uint4(words[0], words[1], words[2], words[3]);
}

extern __shared__ __align__(16) unsigned char shared_bytes[];

class SharedMemory {
 public:
  template <class T>
  __device__ Shared<T> take(int64_t count) {
    size_t begin = (used_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    used_ = begin + size_t(count) * sizeof(T);
    return reinterpret_cast<T*>(shared_bytes + begin);
  }

 private:
  size_t used_ = 0;
};

// Where a launch is written is part of its errors.
struct Grid {
  Grid(int64_t x, std::source_location place = std::source_location::current())
      : Grid(x, 1, place) {}
  Grid(int64_t x, int64_t y, std::source_location place = std::source_location::current())
      : size(unsigned(x), unsigned(y)), where(place) {}
  dim3 size;
  std::source_location where;
};

template <class... Parameters>
void launch(void (*kernel)(Parameters...), Grid grid, int64_t threads, size_t shared,
            cudaStream_t stream, const std::type_identity_t<Parameters>&... arguments) {
  ++launches();
  kernel<<<grid.size, unsigned(threads), shared, stream>>>(arguments...);
  cudaError_t error = cudaGetLastError();
  require(error == cudaSuccess, "cuda: the kernel at {}:{} was not launched: {}",
          grid.where.file_name(), grid.where.line(), cudaGetErrorString(error));
}

}  // namespace star::cuda

#else
#include "cuda/emulator/kernel.h"
#endif
