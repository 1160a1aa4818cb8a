// The dispatch table and the device's memory.
#include "cuda/cuda.h"

#include "cuda/backend.h"
#include "cuda/cublas.h"
#include "cuda/graph.h"
#include "cuda/rates.h"
#include "cuda/transfer.h"

namespace star {
namespace cuda {
namespace {

template <class T>
constexpr Kernels<T> kernels_of() {
  return {
#define KERNEL(name, Arguments) &name<T>,
#include "core/kernels.def"
#undef KERNEL
  };
}

void* allocate(size_t bytes) {
  void* block = nullptr;
  cudaError_t status = cudaMalloc(&block, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // is kept until it is asked for
    return nullptr;
  }
  check(status, "memory");
  return block;
}

void release(void* block) { cudaFree(block); }

void wait() { check(cudaStreamSynchronize(stream()), "the kernels"); }

constexpr DeviceMemory kMemory{allocate, release, read, write, wait};

const char* device_name() {
#if defined(__CUDACC__)
  static cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "the device");
  return properties.name;
#else
  return "emulator";
#endif
}

}  // namespace
}  // namespace cuda

const Rates& cuda_rates() { return cuda::kRates; }

const Backend& cuda_backend() {
  int devices = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  require(status == cudaSuccess && devices > 0, "cuda: no device here ({})",
          status == cudaSuccess ? "none is listed" : cudaGetErrorString(status));
  cuda::Cublas::here();  // an error comes before the work
  static const Backend backend{"cuda",
                               cuda::device_name(),
                               cuda::kRates,
                               cuda::kernels_of<float>(),
                               cuda::kernels_of<double>(),
                               &cuda::kMemory,
                               &cuda::kGraphs};
  return backend;
}

}  // namespace star
