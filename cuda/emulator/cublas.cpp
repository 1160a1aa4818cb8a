#include "cuda/emulator/cublas.h"

#include <cblas.h>

#include <algorithm>
#include <vector>

#include "core/math.h"
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
  const bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
  star::require(
      lda >= std::max(1, at ? k : m) && ldb >= std::max(1, bt ? n : k) && ldc >= std::max(1, m),
      "cuda emulator: a product of {} x {} by {} with columns {}, {} and {} apart", m, n, k, lda,
      ldb, ldc);
  star::emulator::submit([=] {
    std::lock_guard lock(star::emulator::device_mutex());
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

int dropped_bits(cublasComputeType_t type) {
  switch (type) {
    case CUBLAS_COMPUTE_32F:
      return 0;
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      return dropped_bits(star::Math::tf32);
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      return dropped_bits(star::Math::bf16);
  }
  star::fail("cuda emulator: a product of no known type");
}

// Its columns one after the other.
std::vector<float> rounded(const float* matrix, int rows, int columns, int leading, int dropped) {
  std::vector<float> out;
  for (int j = 0; j < columns; ++j)
    for (int i = 0; i < rows; ++i)
      out.push_back(star::rounded(matrix[int64_t(j) * leading + i], dropped));
  return out;
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
  std::lock_guard lock(star::emulator::device_mutex());
  Memory::device().at(workspace, bytes);
  handle->workspace = workspace;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t ta,
                                          cublasOperation_t tb, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType, int lda,
                                          long long step_a, const void* b, cudaDataType, int ldb,
                                          long long step_b, const void* beta, void* c, cudaDataType,
                                          int ldc, long long step_c, int count,
                                          cublasComputeType_t type, cublasGemmAlgo_t) {
  const int dropped = dropped_bits(type);
  auto product = [=](auto order, auto at, auto bt, int rows, int columns, int inner, float scale,
                     const float* A, int a_leading, const float* B, int b_leading, float keep,
                     float* C, int c_leading) {
    const int a_rows = at == CblasTrans ? inner : rows, a_columns = rows + inner - a_rows;
    const int b_rows = bt == CblasTrans ? columns : inner, b_columns = inner + columns - b_rows;
    std::vector<float> left, right;
    if (dropped) {
      left = rounded(A, a_rows, a_columns, a_leading, dropped);
      right = rounded(B, b_rows, b_columns, b_leading, dropped);
      A = left.data(), a_leading = std::max(1, a_rows);
      B = right.data(), b_leading = std::max(1, b_rows);
    }
    cblas_sgemm(order, at, bt, rows, columns, inner, scale, A, a_leading, B, b_leading, keep, C,
                c_leading);
  };
  return gemm(handle, product, ta, tb, m, n, k, *static_cast<const float*>(alpha),
              static_cast<const float*>(a), lda, step_a, static_cast<const float*>(b), ldb, step_b,
              *static_cast<const float*>(beta), static_cast<float*>(c), ldc, step_c, count);
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
