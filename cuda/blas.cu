#include "cuda/blas.h"

#include "core/error.h"
#include "cuda/cublas.h"

namespace star::cuda {
namespace {

int narrow(int64_t size) {
  require(size <= INT32_MAX, "cuda: a matrix of {} rows or columns is beyond cuBLAS", size);
  return int(size);
}

// How cuBLAS computes a product of float32 matrices.
cublasComputeType_t compute_type(Math math) {
  switch (math) {
    case Math::fp32:
      return CUBLAS_COMPUTE_32F;
    case Math::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Math::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
  }
  fail("cuda: there is no such math");
}

}  // namespace

template <class T>
void multiply(const BlasProduct<T>& p, Math math) {
  auto operation = [](const BlasFactor<T>& f) { return f.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const Cublas& cublas = Cublas::here();
  const int m = narrow(p.m), n = narrow(p.n), k = narrow(p.k), count = narrow(p.count);
  const int lda = narrow(p.a.leading), ldb = narrow(p.b.leading), ldc = narrow(p.c_leading);
  ++launches();
  int status;
  if constexpr (sizeof(T) == 8)
    status = cublas.multiply_f64(cublas.handle(), operation(p.a), operation(p.b), m, n, k, &p.alpha,
                                 p.a.data, lda, p.a.step, p.b.data, ldb, p.b.step, &p.beta, p.c,
                                 ldc, p.c_step, count);
  else
    status = cublas.multiply_f32(cublas.handle(), operation(p.a), operation(p.b), m, n, k, &p.alpha,
                                 p.a.data, CUDA_R_32F, lda, p.a.step, p.b.data, CUDA_R_32F, ldb,
                                 p.b.step, &p.beta, p.c, CUDA_R_32F, ldc, p.c_step, count,
                                 compute_type(math), CUBLAS_GEMM_DEFAULT);
  require(status == CUBLAS_STATUS_SUCCESS, "cuda: a matrix product failed, cuBLAS says {}", status);
}

template void multiply(const BlasProduct<float>&, Math);
template void multiply(const BlasProduct<double>&, Math);

}  // namespace star::cuda
