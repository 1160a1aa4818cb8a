#include "cuda/emulator/cublas.h"

#include <cblas.h>

#include "cuda/emulator/block.h"
#include "cuda/emulator/memory.h"

namespace {

using star::emulator::Memory;

// The host's address of a matrix of rows × columns, all of which must be device memory.
template <class T>
T* matrix(T* pointer, int rows, int columns, int leading) {
  if (rows == 0 || columns == 0) return pointer;
  size_t elements = size_t(leading) * size_t(columns - 1) + size_t(rows);
  return static_cast<T*>(Memory::device().at(pointer, elements * sizeof(T)));
}

template <class T, class Product>
cublasStatus_t gemm(cublasHandle_t handle, Product product, cublasOperation_t ta,
                    cublasOperation_t tb, int m, int n, int k, T alpha, const T* a, int lda,
                    long long step_a, const T* b, int ldb, long long step_b, T beta, T* c, int ldc,
                    long long step_c, int count) {
  star::require(handle->workspace,
                "cuda emulator: a product by a handle without memory of its own");
  star::emulator::submit([=] {
    std::lock_guard lock(star::emulator::device_mutex());
    bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
    for (int i = 0; i < count; ++i) {
      const T* A = matrix(const_cast<T*>(a) + i * step_a, at ? k : m, at ? m : k, lda);
      const T* B = matrix(const_cast<T*>(b) + i * step_b, bt ? n : k, bt ? k : n, ldb);
      T* C = matrix(c + i * step_c, m, n, ldc);
      product(CblasColMajor, at ? CblasTrans : CblasNoTrans, bt ? CblasTrans : CblasNoTrans, m, n,
              k, alpha, A, lda, B, ldb, beta, C, ldc);
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t) {
  handle->workspace = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes) {
  Memory::device().at(workspace, bytes);
  handle->workspace = workspace;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t ta,
                                         cublasOperation_t tb, int m, int n, int k,
                                         const float* alpha, const float* a, int lda,
                                         long long step_a, const float* b, int ldb,
                                         long long step_b, const float* beta, float* c, int ldc,
                                         long long step_c, int count) {
  return gemm(handle, cblas_sgemm, ta, tb, m, n, k, *alpha, a, lda, step_a, b, ldb, step_b, *beta,
              c, ldc, step_c, count);
}

cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t ta,
                                         cublasOperation_t tb, int m, int n, int k,
                                         const double* alpha, const double* a, int lda,
                                         long long step_a, const double* b, int ldb,
                                         long long step_b, const double* beta, double* c, int ldc,
                                         long long step_c, int count) {
  return gemm(handle, cblas_dgemm, ta, tb, m, n, k, *alpha, a, lda, step_a, b, ldb, step_b, *beta,
              c, ldc, step_c, count);
}
