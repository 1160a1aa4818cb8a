// Rows of numbers, a block for each.
#include <algorithm>
#include <cmath>

#include "cuda/backend.h"

namespace star::cuda {
namespace {

template <class T>
__global__ void rms_norm_kernel(RmsNorm<T> args) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t row = blockIdx.x, n = args.n;
  auto x = global(args.x) + row * n, w = global(args.w);
  auto y = global(args.y) + row * n;
  RunningSum<T> squares;
  for_each_of_row(0, n, [&](int64_t i) { squares.add(x[i] * x[i]); });
  T total = block_sum(squares.value(), warps);
  T inverse = T(1) / std::sqrt(total / T(n) + args.epsilon);
  for_each_of_row(0, n, [&](int64_t i) { y[i] = x[i] * inverse * w[i]; });
  if (threadIdx.x == 0) global(args.inverse)[row] = inverse;
}

// dx_i = r (w_i dy_i − x_i r² mean(x w dy)), with r the row's inverse; and of dw what the rows of this
// block come to.
template <class T>
__global__ void rms_norm_grad_kernel(RmsNormGrad<T> args, int64_t rows_of_block, T* parts) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t n = args.n, first = int64_t(blockIdx.x) * rows_of_block;
  auto w = global(args.w);
  auto part = global(parts) + int64_t(blockIdx.x) * n;
  for (int64_t row = first; row < first + rows_of_block && row < args.rows; ++row) {
    auto x = global(args.x) + row * n, dy = global(args.dy) + row * n;
    auto dx = global(args.dx) + row * n;
    T r = global(args.inverse)[row];
    RunningSum<T> products;
    for_each_of_row(0, n, [&](int64_t i) { products.add(x[i] * w[i] * dy[i]); });
    T mean = block_sum(products.value(), warps) / T(n);
    for_each_of_row(0, n, [&](int64_t i) {
      T d = r * (w[i] * dy[i] - x[i] * r * r * mean), share = x[i] * dy[i] * r;
      dx[i] = args.add ? T(dx[i]) + d : d;
      part[i] = row == first ? share : T(part[i]) + share;
    });
  }
}

template <class T>
__global__ void softmax_kernel(Softmax<T> args) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t row = blockIdx.x, keys = args.visibility.keys;
  int64_t first = args.visibility.first(row), last = args.visibility.last(row);
  auto x = global(args.x) + row * keys;
  auto y = global(args.y) + row * keys;
  T peak = -INFINITY;
  for_each_of_row(first, last, [&](int64_t j) {
    T score = args.scale * x[j];
    peak = score > peak ? score : peak;
  });
  peak = block_largest(peak, warps);
  auto weight = [&](int64_t j) {
    return peak == T(-INFINITY) ? T(1) : T(std::exp(args.scale * x[j] - peak));
  };
  RunningSum<T> sum;
  for_each_of_row(first, last, [&](int64_t j) { sum.add(weight(j)); });
  T total = block_sum(sum.value(), warps);
  for_each_of_row(0, keys,
                  [&](int64_t j) { y[j] = j >= first && j < last ? weight(j) / total : T(0); });
}

template <class T>
__global__ void softmax_grad_kernel(SoftmaxGrad<T> args) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t row = blockIdx.x, keys = args.visibility.keys;
  int64_t first = args.visibility.first(row), last = args.visibility.last(row);
  auto y = global(args.y) + row * keys, dy = global(args.dy) + row * keys;
  auto dx = global(args.dx) + row * keys;
  RunningSum<T> sum;
  for_each_of_row(first, last, [&](int64_t j) { sum.add(y[j] * dy[j]); });
  T mean = block_sum(sum.value(), warps);
  for_each_of_row(0, keys, [&](int64_t j) {
    dx[j] = j >= first && j < last ? args.scale * y[j] * (dy[j] - mean) : T(0);
  });
}

template <class T>
__global__ void visible_kernel(Visible<T> args) {
  auto x = global(args.x);
  auto y = global(args.y);
  int64_t keys = args.visibility.keys;
  for_each_element(args.rows * keys, [&](int64_t i) {
    int64_t row = i / keys, j = i % keys;
    bool seen = j >= args.visibility.first(row) && j < args.visibility.last(row);
    y[i] = seen ? T(x[i]) : T(0);
  });
}

template <class T>
__global__ void cross_entropy_kernel(CrossEntropy<T> args) {
  SharedMemory memory;
  Shared<T> warps = memory.take<T>(32);
  int64_t row = blockIdx.x, n = args.classes;
  auto x = global(args.logits) + row * n;
  int64_t target = global(args.targets)[row];
  T peak = -INFINITY;
  for_each_of_row(0, n, [&](int64_t j) { peak = x[j] > peak ? T(x[j]) : peak; });
  peak = block_largest(peak, warps);
  RunningSum<T> sum;
  for_each_of_row(0, n, [&](int64_t j) { sum.add(std::exp(x[j] - peak)); });
  T total = block_sum(sum.value(), warps);
  bool inside = target < n;
  if (threadIdx.x == 0)
    global(args.loss)[row] = target < 0 ? T(0)
                             : inside   ? T(std::log(total) + peak - x[target])
                                        : T(NAN);
  if (args.hit) {
    RunningSum<T> before;  // of the target, as great as the greatest
    for_each_of_row(0, inside ? target : 0, [&](int64_t j) { before.add(T(x[j] == peak)); });
    T rivals = block_sum(before.value(), warps);
    if (threadIdx.x == 0)
      global(args.hit)[row] = T(target >= 0 && inside && x[target] == peak && rivals == T(0));
  }
  if (!args.grad) return;
  auto grad = global(args.grad) + row * n;
  for_each_of_row(0, n, [&](int64_t j) {
    T p = std::exp(x[j] - peak) / total;
    grad[j] = target < 0 ? T(0) : args.weight * (p - T(j == target));
  });
}

}  // namespace

template <class T>
void rms_norm(Exec&, const RmsNorm<T>& args) {
  launch_rows<T>(rms_norm_kernel<T>, args.rows, args.n, args);
}

template <class T>
void rms_norm_grad(Exec& exec, const RmsNormGrad<T>& args) {
  // As many blocks as a device runs at a time, and no more parts than that unless they are long.
  constexpr int64_t kBlocks = 256;
  int64_t rows_of_block = std::clamp(blocks_of(args.rows, kBlocks), int64_t(1), kPartTerms);
  int64_t count = blocks_of(args.rows, rows_of_block);
  Tensor parts = scratch<T>(exec, Shape{count, args.n});
  launch_rows<T>(rms_norm_grad_kernel<T>, count, args.n, args, rows_of_block, parts.data<T>());
  add_parts(count, args.n, true, parts, args.dw);
}

template <class T>
void softmax(Exec&, const Softmax<T>& args) {
  launch_rows<T>(softmax_kernel<T>, args.rows, args.visibility.keys, args);
}

template <class T>
void softmax_grad(Exec&, const SoftmaxGrad<T>& args) {
  launch_rows<T>(softmax_grad_kernel<T>, args.rows, args.visibility.keys, args);
}

template <class T>
void visible(Exec&, const Visible<T>& args) {
  launch_elements(visible_kernel<T>, args.rows * args.visibility.keys, args);
}

template <class T>
void cross_entropy(Exec&, const CrossEntropy<T>& args) {
  launch_rows<T>(cross_entropy_kernel<T>, args.rows, args.classes, args);
}

STAR_INSTANTIATE(rms_norm, RmsNorm)
STAR_INSTANTIATE(rms_norm_grad, RmsNormGrad)
STAR_INSTANTIATE(softmax, Softmax)
STAR_INSTANTIATE(softmax_grad, SoftmaxGrad)
STAR_INSTANTIATE(visible, Visible)
STAR_INSTANTIATE(cross_entropy, CrossEntropy)

}  // namespace star::cuda
