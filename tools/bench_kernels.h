// Every kernel on the shapes of a training step, ready to be timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/exec.h"

namespace star::cli {

struct BenchSizes {
  int64_t batch = 8, length = 256, width = 128, heads = 4, vocab = 256, states = 16;
};

struct KernelBench {
  std::string name;     // as in core/kernels.def
  double flops, bytes;  // of one run; bytes as the inputs and outputs, each once
  std::function<void()> run;
  Tensor output;  // of the last run
};

// One entry or more for each line of core/kernels.def, on inputs that are the same for float and
// double. They use `exec` when they run.
std::vector<KernelBench> kernel_benches(Exec& exec, DType dtype, const BenchSizes& sizes);

}  // namespace star::cli
