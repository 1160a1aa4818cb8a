#include "cuda/backend.h"

namespace star::cuda {
namespace {

// Sums up to this many terms are one thread's, longer ones a block's.
constexpr int64_t kThreadTerms = 256;

template <class T>
__global__ void short_sum_kernel(Sum<T> args, int64_t sums, int64_t terms) {
  auto y = global(args.y);
  for_each_element(sums, [&](int64_t i) {
    auto x = global(args.x) + offset_of(i, args.kept, args.kept_strides);
    RunningSum<T> sum;
    for (int64_t r = 0; r < terms; ++r)
      sum.add(x[offset_of(r, args.reduced, args.reduced_strides)]);
    y[i] = sum.value();
  });
}

template <class T>
__global__ void long_sum_kernel(Sum<T> args, int64_t terms) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  auto x = global(args.x) + offset_of(blockIdx.x, args.kept, args.kept_strides);
  RunningSum<T> sum;
  for_each_of_row(0, terms,
                  [&](int64_t r) { sum.add(x[offset_of(r, args.reduced, args.reduced_strides)]); });
  T total = block_sum(sum.value(), warps);
  if (threadIdx.x == 0) global(args.y)[blockIdx.x] = total;
}

template <class T>
__global__ void sum_squares_kernel(int64_t n, const T* data, double* parts) {
  SharedMemory memory;
  Shared<double> warps = memory.take<double>(32);
  auto x = global(data);
  double sum = 0;
  for_each_element(n, [&](int64_t i) {
    double v = x[i];
    sum += v * v;
  });
  sum = block_sum(sum, warps);
  if (threadIdx.x == 0) global(parts)[blockIdx.x] = sum;
}

}  // namespace

template <class T>
void sum(Exec&, const Sum<T>& args) {
  int64_t sums = args.kept.numel(), terms = args.reduced.numel();
  if (terms <= kThreadTerms)
    launch_elements(short_sum_kernel<T>, sums, args, sums, terms);
  else
    launch_rows<T>(long_sum_kernel<T>, sums, terms, args, terms);
}

template <class T>
void sum_squares(Exec& exec, const SumSquares<T>& args) {
  *args.out = 0;
  if (args.n == 0) return;
  int64_t blocks = std::min<int64_t>((args.n + 4095) / 4096, 256);
  Tensor parts = scratch<double>(exec, Shape{blocks});
  launch(sum_squares_kernel<T>, blocks, 256, 32 * sizeof(double), stream(), args.n, args.x,
         parts.data<double>());
  HostView<double> part(parts);
  for (int64_t i = 0; i < blocks; ++i) *args.out += part[i];
}

STAR_INSTANTIATE(sum, Sum)
STAR_INSTANTIATE(sum_squares, SumSquares)

}  // namespace star::cuda
