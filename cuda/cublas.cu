#include "cuda/cublas.h"

// Part of the program: on the emulator, and with the static library.
#if !defined(__CUDACC__)
#define STAR_CUBLAS_LINKED
#endif

#if !defined(STAR_CUBLAS_LINKED)
#include <dlfcn.h>
#endif

#include "core/error.h"

namespace star::cuda {

const Cublas& Cublas::here() {
  static const Cublas cublas;
  return cublas;
}

#if defined(STAR_CUBLAS_LINKED)

Cublas::Cublas()
    : multiply_f32(cublasSgemmStridedBatched),
      multiply_f64(cublasDgemmStridedBatched),
      create_(cublasCreate),
      set_stream_(cublasSetStream) {}

#else

namespace {

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  require(function != nullptr, "cuda: {} is missing in the cuBLAS of this machine", name);
}

// The names in the library are what the macros of its header make of those in the manual.
#define STAR_TEXT_(x) #x
#define STAR_TEXT(x) STAR_TEXT_(x)

}  // namespace

Cublas::Cublas() {
  const char* file = "libcublas.so." STAR_TEXT(CUBLAS_VER_MAJOR);
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  require(library != nullptr, "cuda: {} is needed for matrix products and was not found", file);
  find(library, STAR_TEXT(cublasSgemmStridedBatched), multiply_f32);
  find(library, STAR_TEXT(cublasDgemmStridedBatched), multiply_f64);
  find(library, STAR_TEXT(cublasCreate), create_);
  find(library, STAR_TEXT(cublasSetStream), set_stream_);
}

#endif

cublasHandle_t Cublas::handle(cudaStream_t stream) const {
  thread_local cublasHandle_t handle = nullptr;
  if (!handle)
    require(create_(&handle) == CUBLAS_STATUS_SUCCESS, "cuda: cuBLAS could not be started");
  require(set_stream_(handle, stream) == CUBLAS_STATUS_SUCCESS, "cuda: cuBLAS refused a stream");
  return handle;
}

}  // namespace star::cuda
