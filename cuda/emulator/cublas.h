// The part of cuBLAS that this backend uses, by way of CBLAS. Matrices are stored by columns, as
// there.
#pragma once

#include "cuda/emulator/runtime.h"

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
struct cublasContext {
  void* workspace = nullptr;
};
using cublasHandle_t = cublasContext*;

// Throws `Error` where a handle computes that has no memory of its own: of what cuBLAS then takes it
// may choose another kernel in a graph than outside of one.
cublasStatus_t cublasCreate(cublasHandle_t* handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);  // takes its memory
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes);

enum cudaDataType { CUDA_R_32F = 0 };
enum cublasComputeType_t {
  CUBLAS_COMPUTE_32F = 68,
  CUBLAS_COMPUTE_32F_FAST_16BF = 75,
  CUBLAS_COMPUTE_32F_FAST_TF32 = 77
};
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 };

// C = alpha · op(A) op(B) + beta · C for `count` matrices; C is m × n, the inner size is k. Of float32
// numbers, factors rounded to what is computed with.
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, cublasOperation_t ta,
                                          cublasOperation_t tb, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType, int lda,
                                          long long step_a, const void* b, cudaDataType, int ldb,
                                          long long step_b, const void* beta, void* c, cudaDataType,
                                          int ldc, long long step_c, int count, cublasComputeType_t,
                                          cublasGemmAlgo_t);
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb,
                                         int m, int n, int k, const double* alpha, const double* a,
                                         int lda, long long step_a, const double* b, int ldb,
                                         long long step_b, const double* beta, double* c, int ldc,
                                         long long step_c, int count);
