// cuBLAS, opened when it is first needed: a program that was built with CUDA starts without it. On
// the emulator, and where its static library was there at build time, it is part of the program.
#pragma once

#include "cuda/kernel.h"

#if defined(__CUDACC__)
#include <cublas_v2.h>
#else
#include "cuda/emulator/cublas.h"
#endif

namespace star::cuda {

class Cublas {
 public:
  // Throws `Error` where there is no cuBLAS.
  static const Cublas& here();

  // Of this thread of the host, with its work in `stream`.
  cublasHandle_t handle(cudaStream_t stream) const;

  decltype(&cublasSgemmStridedBatched) multiply_f32;
  decltype(&cublasDgemmStridedBatched) multiply_f64;

 private:
  Cublas();
  decltype(&cublasCreate) create_;
  decltype(&cublasSetStream) set_stream_;
};

}  // namespace star::cuda
