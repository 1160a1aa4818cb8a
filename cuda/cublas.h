// cuBLAS, opened when it is first needed: a program that was built with CUDA starts without it. On
// the emulator it is part of the program.
#pragma once

#include <string>
#include <vector>

#include "cuda/kernel.h"

#if defined(__CUDACC__)
#include <cublas_v2.h>
#else
#include "cuda/emulator/cublas.h"
#endif

namespace star::cuda {

// What is tried for the library, in this order, as dlopen(3) takes it: what STAR_CUBLAS in the
// environment names, and nothing else then; or the newest that the loader knows; or one in the
// folder of a toolkit, or of a wheel of Python's.
std::vector<std::string> cublas_places();

class Cublas {
 public:
  // Throws `Error` where there is no cuBLAS.
  static const Cublas& here();

  // Of this thread of the host; its work is in stream(), and in memory of its own, so that the same
  // kernels compute a product at once and in a graph.
  cublasHandle_t handle() const;
  // "cuBLAS 13.0.2".
  const std::string& version() const { return version_; }
  // Another function of the library, by its name there. Null where it has none, and on the
  // emulator.
  void* function(const char* name) const;

  // The header has two of this name, of which one takes the older way to say how to compute.
  cublasStatus_t (*multiply_f32)(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m,
                                 int n, int k, const void* alpha, const void* a, cudaDataType,
                                 int lda, long long step_a, const void* b, cudaDataType, int ldb,
                                 long long step_b, const void* beta, void* c, cudaDataType, int ldc,
                                 long long step_c, int count, cublasComputeType_t,
                                 cublasGemmAlgo_t);
  decltype(&cublasDgemmStridedBatched) multiply_f64;

 private:
  Cublas();
  void* library_ = nullptr;  // on the emulator
  decltype(&cublasCreate) create_;
  decltype(&cublasSetStream) set_stream_;
  decltype(&cublasSetWorkspace) set_workspace_;
  std::string version_;
};

}  // namespace star::cuda
