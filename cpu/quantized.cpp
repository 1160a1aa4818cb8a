// Products with weights in eight bits (core/quantized.h). With few rows of x a product waits for the
// weights to come from memory, and these are a quarter of the bytes; for many they are written out,
// and the product is one of floats.
#include "core/quantized.h"

#include <algorithm>

#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

constexpr int64_t kFewRows = 16;
constexpr double kTaskFlops = 3e4;
constexpr int64_t kAhead = 8192;  // bytes of weights that are asked for before their turn

// A register of the numbers at p.
#if defined(__AVX512F__)
inline Vec<float> numbers(const int8_t* p, float) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
#elif defined(__AVX2__)
inline Vec<float> numbers(const int8_t* p, float) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
#endif
template <class T>
Vec<T> numbers(const int8_t* p, T) {
  alignas(64) T buffer[kLanes<T>];
  std::copy_n(p, kLanes<T>, buffer);
  return Vec<T>::load_aligned(buffer);
}

template <class T>
Vec<T> first_numbers(const int8_t* p, int64_t n) {
  int8_t buffer[kLanes<T>] = {};
  std::copy_n(p, n, buffer);
  return numbers(buffer, T());
}

// y of M rows of x, from the i-th on, and R rows of W, from the j-th on. Sums are kept U times, so that
// the next product need not wait for the last.
template <int M, int R, int U, class T>
void dot_products(const QuantizedProduct<T>& args, int64_t i, int64_t j) {
  const int64_t k = args.k, bytes = quantized_bytes(k);
  const T* x = args.x + i * k;
  const int8_t* rows = args.rows + j * bytes + kScaleBytes;
  Vec<T> sums[U][R][M];
  for (auto& some : sums)
    for (auto& row : some)
      for (auto& sum : row) sum = Vec<T>(T(0));
  auto add = [&](int u, int64_t c) {
    for (int r = 0; r < R; ++r) {
      const Vec<T> w = numbers(rows + r * bytes + c, T());
      for (int m = 0; m < M; ++m)
        sums[u][r][m] = xsimd::fma(w, Vec<T>::load_unaligned(x + m * k + c), sums[u][r][m]);
    }
  };
  int64_t c = 0;
  for (; c + U * kLanes<T> <= k; c += U * kLanes<T>) {
    for (int r = 0; M == 1 && r < R; ++r) __builtin_prefetch(rows + r * bytes + c + kAhead);
    for (int u = 0; u < U; ++u) add(u, c + u * kLanes<T>);
  }
  for (; c + kLanes<T> <= k; c += kLanes<T>) add(0, c);
  for (int r = 0; c < k && r < R; ++r)
    for (int m = 0; m < M; ++m)
      sums[0][r][m] = xsimd::fma(first_numbers<T>(rows + r * bytes + c, k - c),
                                 load(x + m * k + c, k - c), sums[0][r][m]);
  for (int m = 0; m < M; ++m)
    for (int r = 0; r < R; ++r) {
      for (int u = 1; u < U; ++u) sums[0][r][m] += sums[u][r][m];
      const T from = args.base ? args.base[(i + m) * args.base_row + j + r] : T(0);
      args.y[(i + m) * args.n + j + r] =
          from + T(quantized_scale(rows + r * bytes - kScaleBytes)) * xsimd::hadd(sums[0][r][m]);
    }
}

// Eight sums at a time: of four rows of x and two of W, or of one row of x, two of W and four pieces.
template <int M, class T>
void dot_products_of_rows(const QuantizedProduct<T>& args, int64_t i, int64_t begin, int64_t end) {
  constexpr int R = 2, U = 4 / M;
  int64_t j = begin;
  for (; j + R <= end; j += R) dot_products<M, R, U>(args, i, j);
  for (; j < end; ++j) dot_products<M, 1, U>(args, i, j);
}

template <class T>
void few_rows(Exec& exec, const QuantizedProduct<T>& args) {
  const double flops = 2.0 * double(args.m) * double(std::max<int64_t>(args.k, 1));
  const int64_t block = 8 * std::max<int64_t>(1, int64_t(kTaskFlops / flops / 8));
  for_blocks(exec, args.n, block, [&](int64_t begin, int64_t end) {
    int64_t i = 0;
    for (; i + 4 <= args.m; i += 4) dot_products_of_rows<4>(args, i, begin, end);
    for (; i < args.m; ++i) dot_products_of_rows<1>(args, i, begin, end);
  });
}

template <class T>
void many_rows(Exec& exec, const QuantizedProduct<T>& args) {
  const int64_t n = args.n, k = args.k, bytes = quantized_bytes(k);
  const Tensor whole = exec.empty({n, k}, dtype_of<T>);
  T* weights = whole.data<T>();
  for_blocks(exec, n, rows_a_block(k), [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const int8_t* row = args.rows + j * bytes;
      const Vec<T> scale(T(quantized_scale(row)));
      for (int64_t c = 0; c < k; c += kLanes<T>) {
        const int64_t left = k - c;
        const int8_t* p = row + kScaleBytes + c;
        const Vec<T> w = left < kLanes<T> ? first_numbers<T>(p, left) : numbers(p, T());
        store(weights + j * k + c, scale * w, left);
      }
    }
  });
  gemm<T>(exec, {.m = args.m,
                 .n = n,
                 .k = k,
                 .a = args.x,
                 .a_row = k,
                 .a_col = 1,
                 .b = weights,
                 .b_row = 1,
                 .b_col = k,
                 .c = args.y,
                 .c_row = n,
                 .beta = T(args.base ? 1 : 0),
                 .base = args.base,
                 .base_row = args.base_row});
}

}  // namespace

template <class T>
void quantized_product(Exec& exec, const QuantizedProduct<T>& args) {
  args.m <= kFewRows ? few_rows(exec, args) : many_rows(exec, args);
}

STAR_INSTANTIATE(quantized_product, QuantizedProduct)

}  // namespace star::cpu::STAR_TARGET
