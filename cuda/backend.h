// The kernels of core/kernels.def on a CUDA device, and what they share.
#pragma once

#include <algorithm>
#include <vector>

#include "core/exec.h"
#include "cuda/kernel.h"

namespace star::cuda {

#define KERNEL(name, Arguments) \
  template <class T>            \
  void name(Exec& exec, const Arguments<T>& args);
#include "core/kernels.def"
#undef KERNEL

// Throws `Error` unless `status` is success.
inline void check(cudaError_t status, const char* what) {
  require(status == cudaSuccess, "cuda: {}: {}", what, cudaGetErrorString(status));
}

// One thread of the host drives an Exec, and its kernels run in the order of their launches.
inline cudaStream_t stream() { return cudaStreamPerThread; }

inline constexpr int64_t kThreads = 128;

// A number of elements or rows, and where it was given, for the findings of the emulator.
struct Count {
  Count(int64_t n, std::source_location place = std::source_location::current())
      : value(n), where(place) {}
  int64_t value;
  std::source_location where;
};

// A kernel whose threads share `n` elements out by for_each_element. Nothing for n = 0.
template <class... Parameters>
void launch_elements(void (*kernel)(Parameters...), Count n,
                     const std::type_identity_t<Parameters>&... arguments) {
  constexpr int64_t kMostBlocks = 1 << 20;
  int64_t blocks = std::min(blocks_of(n.value, kThreads), kMostBlocks);
  if (blocks > 0) launch(kernel, {blocks, n.where}, kThreads, 0, stream(), arguments...);
}

// A division for each axis is what strides cost a kernel. Axes that lie as one in all of these
// strides become one, and those of one place go.
inline void collapse(Shape& shape, std::initializer_list<Shape*> strides) {
  Shape axes;
  std::vector<Shape> kept(strides.size());
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    int last = axes.rank() - 1;
    auto follows = [&](const Shape& before, const Shape* own) {
      return before[last] == (*own)[i] * shape[i];
    };
    bool joins = last >= 0 && std::equal(kept.begin(), kept.end(), strides.begin(), follows);
    joins ? void(axes[last] *= shape[i]) : axes.push_back(shape[i]);
    for (size_t s = 0; s < kept.size(); ++s) {
      int64_t stride = (*strides.begin()[s])[i];
      joins ? void(kept[s][last] = stride) : kept[s].push_back(stride);
    }
  }
  for (size_t s = 0; s < kept.size(); ++s) *strides.begin()[s] = kept[s];
  shape = axes;
}

// Where element `index` lies in two operands, as offset_of says, with a division for each axis but
// the first.
struct Offsets {
  int64_t a, b;
};
__device__ inline Offsets offsets_of(int64_t index, const Shape& shape, const Shape& a,
                                     const Shape& b) {
  Offsets at{0, 0};
  for (int i = shape.rank() - 1; i >= 0; --i) {
    int64_t rest = i > 0 ? index / shape[i] : 0, own = index - rest * shape[i];
    at.a += own * a[i];
    at.b += own * b[i];
    index = rest;
  }
  return at;
}

// Memory for what one kernel leaves to the next.
template <class T>
Tensor scratch(Exec& exec, const Shape& shape) {
  return exec.empty(shape, dtype_of<T>);
}

// Calls f(i) for the elements of this thread.
template <class F>
__device__ void for_each_element(int64_t n, const F& f) {
  int64_t first = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = first; i < n; i += step) f(i);
}

// use(i, load(i)) for i = first, first + step, … below last, `count` at a time: what they load is all
// on its way before the first is used.
inline constexpr int64_t kFour = 4;

template <int64_t count = kFour, class Load, class Use>
__device__ void map_range(int64_t first, int64_t last, int64_t step, const Load& load,
                          const Use& use) {
  for (int64_t i = first; i < last; i += count * step) {
    decltype(load(i)) values[count] = {};
    for (int k = 0; k < count; ++k)
      if (i + k * step < last) values[k] = load(i + k * step);
    for (int k = 0; k < count; ++k)
      if (i + k * step < last) use(i + k * step, values[k]);
  }
}

// Likewise for the elements of this thread. A kernel that does so with n elements is launched for
// fours(n).
inline int64_t fours(int64_t n) { return blocks_of(n, kFour); }

template <class Load, class Use>
__device__ void map_elements(int64_t n, const Load& load, const Use& use) {
  int64_t first = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  map_range(first, n, int64_t(gridDim.x) * blockDim.x, load, use);
}

// A kernel with one block for each row, whose threads share out `width` elements by for_each_of_row
// and have shared memory for block_sum and block_largest. Nothing for no rows.
template <class T, class... Parameters>
void launch_rows(void (*kernel)(Parameters...), Count rows, int64_t width,
                 const std::type_identity_t<Parameters>&... arguments) {
  int64_t threads = width <= 64 ? 32 : width <= 1024 ? 128 : 256;
  if (rows.value > 0)
    launch(kernel, {rows.value, rows.where}, threads, 32 * sizeof(T), stream(), arguments...);
}

// Calls f(i) for i = first … last − 1, each on one thread of the block.
template <class F>
__device__ void for_each_of_row(int64_t first, int64_t last, const F& f) {
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) f(i);
}

// Of a value of each lane of the warp, for each of them, in a fixed order. All lanes come here.
template <class T, class Join>
__device__ T warp_reduce(T value, const Join& join) {
  for (int step = 16; step > 0; step /= 2) value = join(value, __shfl_xor_sync(~0u, value, step));
  return value;
}
template <class T>
__device__ T warp_sum(T value) {
  return warp_reduce(value, [](T a, T b) { return a + b; });
}

// Of a value of each thread of the block, for each of them, in a fixed order. `warps` has a place
// for each warp. All threads come here; blocks are whole warps.
template <class T, class Join>
__device__ T block_reduce(T value, const Shared<T>& warps, const Join& join) {
  value = warp_reduce(value, join);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  T all = warps[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) all = join(all, T(warps[warp]));
  __syncthreads();  // before the places are used again
  return all;
}
template <class T>
__device__ T block_sum(T value, const Shared<T>& warps) {
  return block_reduce(value, warps, [](T a, T b) { return a + b; });
}
template <class T>
__device__ T block_largest(T value, const Shared<T>& warps) {
  return block_reduce(value, warps, [](T a, T b) { return a > b ? a : b; });
}

// A long sum in runs of 64 terms: so many roundings and one for each run are the most that a term
// goes through.
template <class T>
class RunningSum {
 public:
  __device__ void add(T x) {
    run_ += x;
    if (++terms_ % 64 != 0) return;
    total_ += run_;
    run_ = 0;
  }
  __device__ T value() const { return total_ + run_; }

 private:
  T total_ = 0, run_ = 0;
  unsigned terms_ = 0;
};

// Σ f(i) over i = first, first + step, … below last, in this order. Eight terms are on their way at a
// time: of one after the other a thread would wait for the memory each time.
inline constexpr int kAhead = 8;

template <class F>
__device__ auto sum_of(int64_t first, int64_t last, int64_t step, const F& f) {
  using T = decltype(f(first));
  RunningSum<T> sum;
  for (int64_t i = first; i < last; i += kAhead * step) {
    T terms[kAhead] = {};
    for (int k = 0; k < kAhead; ++k)
      if (i + k * step < last) terms[k] = f(i + k * step);
    for (int k = 0; k < kAhead; ++k) sum.add(terms[k]);
  }
  return sum.value();
}

// Sums over all tokens are gathered in two steps, so that there are threads enough: so many terms
// for each part, and the parts.
inline constexpr int64_t kPartTerms = 64;
__host__ __device__ inline int64_t parts_of(int64_t terms) { return blocks_of(terms, kPartTerms); }

// A block that has 32 columns, a lane each, shared out to its warps: the sum of each column, for the
// first warp, in a fixed order. `shares` has a place for each thread. All threads come here.
template <class T>
__device__ T column_sum(T value, const Shared<T>& shares) {
  shares[threadIdx.x] = value;
  __syncthreads();
  T sum = 0;
  for (unsigned at = threadIdx.x; threadIdx.x < 32 && at < blockDim.x; at += 32) sum += shares[at];
  return sum;
}

// y[i] = Σ_p parts[p][i], or added to it.
template <class T>
__global__ void add_parts_kernel(int64_t count, int64_t n, bool onto, const T* parts_of_all,
                                 T* sums) {
  SharedMemory memory;
  Shared<T> shares = memory.take<T>(blockDim.x);
  auto parts = global(parts_of_all);
  int64_t i = int64_t(blockIdx.x) * 32 + threadIdx.x % 32;
  T sum = sum_of(threadIdx.x / 32, i < n ? count : 0, blockDim.x / 32,
                 [&](int64_t p) -> T { return parts[p * n + i]; });
  T total = column_sum(sum, shares);
  if (threadIdx.x >= 32 || i >= n) return;
  auto y = global(sums);
  y[i] = onto ? y[i] + total : total;
}
template <class T>
void add_parts(int64_t count, Count n, bool onto, const Tensor& parts, T* y) {
  int64_t threads = 32 * std::clamp(blocks_of(count, 8), int64_t(1), int64_t(32));
  if (n.value > 0)
    launch(add_parts_kernel<T>, {blocks_of(n.value, 32), n.where}, threads,
           size_t(threads) * sizeof(T), stream(), count, n.value, onto, parts.data<T>(), y);
}

// Hands the states of a recurrence on from chunk to chunk, in reverse from the last to the first.
// Of chunk n `states[at(n)]` is what it comes to from nothing, and becomes what it begins with, the
// first with `running`; kept(n) is what it leaves of that. Returns what the last one comes to.
template <class T, class States, class At, class Kept>
__device__ T carry(int64_t chunks, bool reverse, T running, const States& states, const At& at,
                   const Kept& kept) {
  for (int64_t step = 0; step < chunks; ++step) {
    int64_t chunk = reverse ? chunks - 1 - step : step;
    T own = states[at(chunk)];
    states[at(chunk)] = running;
    running = kept(chunk) * running + own;
  }
  return running;
}

}  // namespace star::cuda

// At the end of a kernel's file, inside the namespace.
#define STAR_INSTANTIATE(name, Arguments)                    \
  template void name<float>(Exec&, const Arguments<float>&); \
  template void name<double>(Exec&, const Arguments<double>&);
