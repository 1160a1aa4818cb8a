// Products with weights in eight bits (core/quantized.h).
#include "core/quantized.h"
#include "cuda/backend.h"

namespace star::cuda {
namespace {

constexpr int64_t kFewRows = 16;  // of x; for more the weights are written out

// A warp has a row of W, and takes the rows of x one after the other; a lane reads whole words of it.
template <class T>
__global__ void few_rows_kernel(QuantizedProduct<T> args) {
  const int64_t lane = threadIdx.x % 32;
  const int64_t j = int64_t(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (j >= args.n) return;
  const int64_t words = quantized_bytes(args.k) / 4;
  auto row = global(reinterpret_cast<const int32_t*>(args.rows)) + j * words;
  const T scale = T(global(reinterpret_cast<const float*>(args.rows))[j * words]);
  for (int64_t i = 0; i < args.m; ++i) {
    auto x = global(args.x) + i * args.k;
    T sum = 0;
    for (int64_t w = lane; 4 * w < args.k; w += 32) {
      const int32_t four = row[1 + w];
      for (int64_t b = 0; b < 4 && 4 * w + b < args.k; ++b)
        sum += T(int8_t(four >> (8 * b))) * x[4 * w + b];
    }
    sum = warp_sum(sum);
    if (lane > 0) continue;
    const T from = args.base ? T(global(args.base)[i * args.base_row + j]) : T(0);
    global(args.y)[i * args.n + j] = from + scale * sum;
  }
}

template <class T>
__global__ void write_out_kernel(QuantizedProduct<T> args, T* floats) {
  const int64_t bytes = quantized_bytes(args.k);
  auto numbers = global(args.rows);
  auto scales = global(reinterpret_cast<const float*>(args.rows));
  auto weights = global(floats);
  for_each_element(args.n * args.k, [&](int64_t i) {
    const int64_t row = i / args.k * bytes;
    const int8_t number = numbers[row + kScaleBytes + i % args.k];
    const float scale = scales[row / 4];
    weights[i] = T(scale) * T(number);
  });
}

}  // namespace

template <class T>
void quantized_product(Exec& exec, const QuantizedProduct<T>& args) {
  if (args.m == 0 || args.n == 0) return;
  if (args.m <= kFewRows)
    return launch(few_rows_kernel<T>, blocks_of(args.n, kThreads / 32), kThreads, 0, stream(),
                  args);
  const Tensor whole = scratch<T>(exec, {args.n, args.k});
  T* weights = whole.data<T>();
  launch_elements(write_out_kernel<T>, args.n * args.k, args, weights);
  gemm<T>(exec, {.m = args.m,
                 .n = args.n,
                 .k = args.k,
                 .a = args.x,
                 .a_row = args.k,
                 .a_col = 1,
                 .b = weights,
                 .b_row = 1,
                 .b_col = args.k,
                 .c = args.y,
                 .c_row = args.n,
                 .beta = T(args.base ? 1 : 0),
                 .base = args.base,
                 .base_row = args.base_row});
}

STAR_INSTANTIATE(quantized_product, QuantizedProduct)

}  // namespace star::cuda
