// Rows of numbers, a block for each.
#include <algorithm>
#include <cmath>

#include "cuda/backend.h"

namespace star::cuda {
namespace {

// A short row is a warp's, which needs no barrier, a longer one a block's.
constexpr int64_t kWarpWidth = 256;

template <class T, bool warps>
__global__ void rms_norm_kernel(RmsNorm<T> args) {
  SharedMemory memory;
  Shared<T> places = memory.take<T>(32);
  int64_t lanes = warps ? 32 : blockDim.x, lane = threadIdx.x % lanes, n = args.n;
  int64_t row = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) / lanes;
  if (row >= args.rows) return;
  auto x = global(args.x) + row * n, w = global(args.w);
  auto y = global(args.y) + row * n;
  RunningSum<T> squares;
  for (int64_t i = lane; i < n; i += lanes) squares.add(x[i] * x[i]);
  T total = warps ? warp_sum(squares.value()) : block_sum(squares.value(), places);
  T inverse = T(1) / std::sqrt(total / T(n) + args.epsilon);
  for (int64_t i = lane; i < n; i += lanes) y[i] = x[i] * inverse * w[i];
  if (lane == 0) global(args.inverse)[row] = inverse;
}

// dx_i = r w_i dy_i − m x_i, with r the row's inverse and m = r³ mean(x w dy); and of dw what the
// rows of this block come to. Eight rows at a time: each warp finds m of one, then each thread has
// its columns of all.
constexpr int64_t kRowsAtATime = 8;

template <class T>
__global__ void rms_norm_grad_kernel(RmsNormGrad<T> args, int64_t rows_of_block, T* parts) {
  SharedMemory memory;
  Shared<T> r = memory.take<T>(kRowsAtATime), m = memory.take<T>(kRowsAtATime);
  int64_t n = args.n, first = int64_t(blockIdx.x) * rows_of_block;
  int64_t last = first + rows_of_block < args.rows ? first + rows_of_block : args.rows;
  auto x = global(args.x), w = global(args.w), dy = global(args.dy);
  auto dx = global(args.dx), part = global(parts) + int64_t(blockIdx.x) * n;
  for (int64_t begin = first; begin < last; begin += kRowsAtATime) {
    int rows = int(last - begin < kRowsAtATime ? last - begin : kRowsAtATime);
    int64_t own = begin + threadIdx.x / 32, lane = threadIdx.x % 32;
    RunningSum<T> products;
    for (int64_t i = lane; own < last && i < n; i += 32)
      products.add(x[own * n + i] * w[i] * dy[own * n + i]);
    T total = warp_sum(products.value());
    if (lane == 0) {
      T inverse = own < last ? global(args.inverse)[own] : T(0);
      r[own - begin] = inverse;
      m[own - begin] = inverse * inverse * inverse * total / T(n);
    }
    __syncthreads();
    for_each_of_row(0, n, [&](int64_t i) {
      // All are on their way before the first is used.
      T xs[kRowsAtATime], slopes[kRowsAtATime], sums[kRowsAtATime];
      int64_t at = begin * n + i;
      for (int k = 0; k < kRowsAtATime; ++k) {
        xs[k] = k < rows ? x[at + k * n] : T(0);
        slopes[k] = k < rows ? dy[at + k * n] : T(0);
        sums[k] = args.add && k < rows ? T(dx[at + k * n]) : T(0);
      }
      T weight = w[i], share = begin == first ? T(0) : T(part[i]);
      for (int k = 0; k < kRowsAtATime && k < rows; ++k, at += n) {
        T slope = r[k] * slopes[k];
        dx[at] = sums[k] + (weight * slope - m[k] * xs[k]);
        share += slope * xs[k];
      }
      part[i] = share;
    });
    __syncthreads();  // before the next rows
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
  if (args.n > kWarpWidth)
    launch_rows<T>(rms_norm_kernel<T, false>, args.rows, args.n, args);
  else if (args.rows > 0)
    launch(rms_norm_kernel<T, true>, blocks_of(args.rows, kThreads / 32), kThreads, 32 * sizeof(T),
           stream(), args);
}

template <class T>
void rms_norm_grad(Exec& exec, const RmsNormGrad<T>& args) {
  // As many blocks as a device runs at a time, and no more parts than that unless they are long.
  constexpr int64_t kBlocks = 512;
  int64_t most = std::clamp(blocks_of(args.rows, kBlocks), int64_t(1), kPartTerms);
  int64_t rows_of_block = blocks_of(most, kRowsAtATime) * kRowsAtATime;
  int64_t count = blocks_of(args.rows, rows_of_block);
  Tensor parts = scratch<T>(exec, Shape{count, args.n});
  if (count > 0)
    launch(rms_norm_grad_kernel<T>, count, 32 * kRowsAtATime, 2 * kRowsAtATime * sizeof(T),
           stream(), args, rows_of_block, parts.data<T>());
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
