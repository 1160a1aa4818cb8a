#include "cuda/blas.h"

#include "core/error.h"
#include "cuda/cublas.h"

namespace star::cuda {
namespace {

int narrow(int64_t size) {
  require(size <= INT32_MAX, "cuda: a matrix of {} rows or columns is beyond cuBLAS", size);
  return int(size);
}

template <class T>
constexpr auto product_of(const Cublas& cublas) {
  if constexpr (sizeof(T) == 8)
    return cublas.multiply_f64;
  else
    return cublas.multiply_f32;
}

}  // namespace

template <class T>
void multiply(const BlasProduct<T>& p) {
  auto operation = [](const BlasFactor<T>& f) { return f.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const Cublas& cublas = Cublas::here();
  ++launches();
  int status = product_of<T>(cublas)(
      cublas.handle(), operation(p.a), operation(p.b), narrow(p.m), narrow(p.n), narrow(p.k),
      &p.alpha, p.a.data, narrow(p.a.leading), p.a.step, p.b.data, narrow(p.b.leading), p.b.step,
      &p.beta, p.c, narrow(p.c_leading), p.c_step, narrow(p.count));
  require(status == CUBLAS_STATUS_SUCCESS, "cuda: a matrix product failed, cuBLAS says {}", status);
}

template void multiply(const BlasProduct<float>&);
template void multiply(const BlasProduct<double>&);

}  // namespace star::cuda
