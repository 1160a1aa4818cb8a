// Where a computation runs: a backend's kernels, the memory and the threads.
#pragma once

#include "core/arena.h"
#include "core/kernels.h"
#include "core/math.h"
#include "core/rates.h"
#include "core/tensor.h"
#include "core/thread_pool.h"

namespace star {

class Exec;

// One entry for each line of core/kernels.def.
template <class T>
struct Kernels {
#define KERNEL(name, Arguments) void (*name)(Exec&, const Arguments<T>&);
#include "core/kernels.def"
#undef KERNEL
};

// Launches that a device keeps, to run them again at once, on the same memory. One recording at a
// time; while it lasts, what is launched or written is kept and not done, and the host cannot read.
struct DeviceGraphs {
  void (*begin)();
  void* (*end)();
  void (*run)(void* graph);
  void (*free)(void* graph);
};

struct Backend {
  const char* name;    // "cpu"
  const char* target;  // the instruction set it was chosen for
  const Rates& rates;
  Kernels<float> f32;
  Kernels<double> f64;
  const DeviceMemory* memory = nullptr;  // null: the host's
  const DeviceGraphs* graphs = nullptr;  // null: it keeps none
};

// Not thread-safe: one thread drives an Exec. It outlives every tensor made with it.
class Exec {
 public:
  explicit Exec(const Backend& backend, int threads = 1)
      : backend_(backend), arena_(backend.memory), pool_(threads) {}

  const Backend& backend() const { return backend_; }
  Arena& arena() { return arena_; }
  ThreadPool& pool() { return pool_; }
  Math math() const { return math_; }  // of products of float32 matrices

  template <class T>
  const Kernels<T>& kernels() const {
    if constexpr (sizeof(T) == 8)
      return backend_.f64;
    else
      return backend_.f32;
  }

  Tensor empty(const Shape& shape, DType dtype) { return Tensor(arena_, shape, dtype); }
  void fill(const Tensor& t, double value);  // contiguous tensors only
  Tensor full(const Shape& shape, DType dtype, double value);
  Tensor zeros(const Shape& shape, DType dtype) { return full(shape, dtype, 0); }
  Tensor from(const Shape& shape, std::span<const double> values, DType dtype);
  Tensor from(const Shape& shape, std::span<const int32_t> values);
  // The tensor itself if it is contiguous, a contiguous copy otherwise.
  Tensor contiguous(const Tensor& t);
  // Returns when all kernels have run: a device works while the host goes on.
  void wait() const {
    if (backend_.memory) backend_.memory->wait();
  }
  // dst = src or dst += src, of one shape, any strides.
  void copy(const Tensor& src, const Tensor& dst, bool accumulate = false);

 private:
  const Backend& backend_;
  Arena arena_;
  ThreadPool pool_;
  Math math_ = Math::fp32;
  friend class MathScope;
};

// As long as it lives, an Exec computes its products so.
class MathScope {
 public:
  MathScope(Exec& exec, Math math) : exec_(exec), before_(exec.math_) { exec.math_ = math; }
  ~MathScope() { exec_.math_ = before_; }
  MathScope(const MathScope&) = delete;
  MathScope& operator=(const MathScope&) = delete;

 private:
  Exec& exec_;
  Math before_;
};

}  // namespace star
