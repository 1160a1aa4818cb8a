// How long the kernels of a backend take, by their names in core/kernels.def.
#pragma once

#include <vector>

#include "core/exec.h"

namespace star::cli {

struct KernelTime {
  const char* kernel;
  double seconds = 0;
  int64_t calls = 0;
};

// One at a time: kernels are plain functions, and what they count is the program's.
class KernelClock {
 public:
  explicit KernelClock(const Backend& timed);
  KernelClock(const KernelClock&) = delete;
  KernelClock& operator=(const KernelClock&) = delete;

  // Computes as the other, each kernel to its end, and counts. It records no graphs.
  const Backend& backend() const { return backend_; }
  void reset();
  std::vector<KernelTime> times() const;  // since then, the longest first

 private:
  Backend backend_;
};

}  // namespace star::cli
