#include "star/device.h"

#include "core/number.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "star/executor.h"

namespace star::synthesis {
namespace {

constexpr std::string_view kCuda = "cuda", kNumbered = "cuda:";

}  // namespace

bool is_device(const std::string& text) {
  if (!text.starts_with(kNumbered)) return text == "cpu" || text == kCuda;
  return whole_number_fault<int>(text.substr(kNumbered.size()), 0, kMostDevices - 1).empty();
}

bool is_cuda(const std::string& device) {
  require(is_device(device), "device: `{}` is none of cpu, cuda, cuda:0, cuda:1 and so on", device);
  return device != "cpu";
}

const Backend& backend_named(const std::string& device) {
  if (!is_cuda(device)) return cpu_backend();
  if (device == kCuda) return cuda_backend();
  return cuda_backend(*read_number<int>(device.substr(kNumbered.size())));
}

const Rates& rates_named(const std::string& device) {
  return is_cuda(device) ? cuda_rates() : cpu_rates();
}

std::string check_device(const std::string& device) {
  if (!is_cuda(device)) return "";
  WorkerPool pool(Limits{});
  pool.start(0, [&] { return std::string(backend_named(device).target); });
  const Outcome outcome = pool.wait().outcome;
  require(outcome.failure.empty(), "{}", outcome.failure);
  return outcome.result;
}

int64_t device_launches() { return cuda_launches(); }

CpuKernels cpu_kernels() { return {cpu_backend().target, blas_core()}; }

}  // namespace star::synthesis
