// The dispatch table and the device's memory.
#include "cuda/cuda.h"

#include <cstdlib>
#include <string>

#include "core/number.h"
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

std::string device_name(int number) {
#if defined(__CUDACC__)
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, number), "the device");
  return properties.name;
#else
  return fmt::format("emulator {}", number);
#endif
}

// The place of this process among those of its MPI job on this machine, as Open MPI, MPICH and Slurm
// tell it; 0 outside of one.
int place_on_machine() {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"})
    if (const char* place = std::getenv(name)) return read_number<int>(place).value_or(0);
  return 0;
}

// What would have cuBLAS round a product's factors, of which the results do not tell.
void refuse_overrides() {
  for (const char* name : {"NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION",
                           "CUBLAS_EMULATE_DOUBLE_PRECISION"}) {
    const std::string value = std::getenv(name) ? std::getenv(name) : "";
    require(value.empty() || value == "0",
            "cuda: {}={} in the environment changes the precision of products: unset it", name,
            value);
  }
}

// Throws `Error` where there is none such.
int device_of(int number) {
  int devices = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  require(status == cudaSuccess && devices > 0, "cuda: no device here ({})",
          status == cudaSuccess ? "none is listed" : cudaGetErrorString(status));
  require(number < devices, "cuda: no device {} here; there {} {}, from 0 on", number,
          devices == 1 ? "is" : "are", devices);
  return number == kAnyDevice ? place_on_machine() % devices : number;
}

}  // namespace
}  // namespace cuda

const Rates& cuda_rates() { return cuda::kRates; }

int64_t cuda_launches() { return cuda::launches(); }

const Backend& cuda_backend(int number) {
  cuda::refuse_overrides();
  static const int device = cuda::device_of(number);  // of this process
  require(number == kAnyDevice || number == device,
          "cuda: device {} is wanted where device {} computes already", number, device);
  cuda::check(cudaSetDevice(device), "the device");  // of this thread
  // An error comes before the work.
  static const std::string target =
      cuda::device_name(device) + ", " + cuda::Cublas::here().version();
  static const Backend backend{"cuda",
                               target.c_str(),
                               cuda::kRates,
                               cuda::kernels_of<float>(),
                               cuda::kernels_of<double>(),
                               &cuda::kMemory,
                               &cuda::kGraphs};
  return backend;
}

}  // namespace star
