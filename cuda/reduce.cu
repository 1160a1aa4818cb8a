// Sums over axes.
#include "cuda/backend.h"

namespace star::cuda {
namespace {

// Sums up to this many terms are one thread's.
constexpr int64_t kThreadTerms = 128;
// Long sums are gathered in parts, sums[part][kept], by a thread each; by a block each, and in
// longer parts, where the terms lie side by side.
constexpr int64_t kBlockTerms = 4096;

template <class T>
__device__ T term(const Sum<T>& args, int64_t kept, int64_t r) {
  const Shape &shape = args.reduced, &strides = args.reduced_strides;
  return global(args.x)[kept + offsets_of(r, shape, strides, strides).a];
}

template <class T>
__global__ void sum_kernel(Sum<T> args, int64_t kept, int64_t terms, int64_t parts, T* sums) {
  auto y = global(sums);
  for_each_element(parts * kept, [&](int64_t i) {
    int64_t at = offset_of(i % kept, args.kept, args.kept_strides);
    int64_t first = i / kept * kPartTerms, last = parts > 1 ? first + kPartTerms : terms;
    y[i] =
        sum_of(first, last < terms ? last : terms, 1, [&](int64_t r) { return term(args, at, r); });
  });
}

template <class T>
__global__ void block_sum_kernel(Sum<T> args, int64_t kept, int64_t terms, T* sums) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t at = offset_of(blockIdx.x % kept, args.kept, args.kept_strides);
  int64_t first = blockIdx.x / kept * kBlockTerms, last = first + kBlockTerms;
  T sum = sum_of(first + threadIdx.x, last < terms ? last : terms, blockDim.x,
                 [&](int64_t r) { return term(args, at, r); });
  sum = block_sum(sum, warps);
  if (threadIdx.x == 0) global(sums)[blockIdx.x] = sum;
}

template <class T>
__global__ void sum_squares_kernel(int64_t n, const T* data, double* parts) {
  SharedMemory memory;
  Shared<double> warps = memory.take<double>(32);
  auto x = global(data);
  double sum = sum_of(int64_t(blockIdx.x) * blockDim.x + threadIdx.x, n,
                      int64_t(gridDim.x) * blockDim.x, [&](int64_t i) {
                        double v = x[i];
                        return v * v;
                      });
  sum = block_sum(sum, warps);
  if (threadIdx.x == 0) global(parts)[blockIdx.x] = sum;
}

}  // namespace

template <class T>
void sum(Exec& exec, const Sum<T>& given) {
  Sum<T> args = given;
  collapse(args.kept, {&args.kept_strides});
  collapse(args.reduced, {&args.reduced_strides});
  int64_t kept = args.kept.numel(), terms = args.reduced.numel();
  if (kept == 0) return;
  bool blocks = terms > kThreadTerms && args.reduced_strides.back() == 1;
  int64_t parts = terms <= kThreadTerms ? 1 : blocks_of(terms, blocks ? kBlockTerms : kPartTerms);
  Tensor sums = scratch<T>(exec, Shape{parts > 1 ? parts : 0, kept});
  T* y = parts > 1 ? sums.data<T>() : args.y;
  if (blocks)
    launch_rows<T>(block_sum_kernel<T>, parts * kept, kBlockTerms, args, kept, terms, y);
  else
    launch_elements(sum_kernel<T>, parts * kept, args, kept, terms, parts, y);
  if (parts > 1) add_parts(parts, kept, false, sums, args.y);
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
