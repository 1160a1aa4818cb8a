#include "star/device.h"

#include "star/executor.h"

namespace star {

const Backend& backend_named(const std::string& device) {
  if (device == "cpu") return cpu_backend();
  require(device == "cuda", "device: `{}` is neither cpu nor cuda", device);
  return cuda_backend();
}

void check_device(const std::string& device) {
  if (device == "cpu") return;
  WorkerPool pool(Limits{});
  pool.start(0, [&] {
    backend_named(device);
    return std::string();
  });
  Outcome outcome = pool.wait().outcome;
  require(outcome.failure.empty(), "{}", outcome.failure);
}

}  // namespace star
