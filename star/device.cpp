#include "star/device.h"

#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "star/executor.h"

namespace star {
namespace {

bool is_cuda(const std::string& device) {
  require(device == "cpu" || device == "cuda", "device: `{}` is neither cpu nor cuda", device);
  return device == "cuda";
}

}  // namespace

const Backend& backend_named(const std::string& device) {
  return is_cuda(device) ? cuda_backend() : cpu_backend();
}

const Rates& rates_named(const std::string& device) {
  return is_cuda(device) ? cuda_rates() : cpu_rates();
}

void check_device(const std::string& device) {
  if (!is_cuda(device)) return;
  WorkerPool pool(Limits{});
  pool.start(0, [&] {
    backend_named(device);
    return std::string();
  });
  Outcome outcome = pool.wait().outcome;
  require(outcome.failure.empty(), "{}", outcome.failure);
}

CpuKernels cpu_kernels() { return {cpu_backend().target, blas_core()}; }

}  // namespace star
