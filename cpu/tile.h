// Products of tiles that lie in cache: what matrix products, attention and chunked recurrences are
// made of. A kernel copies what it multiplies into tiles whose rows are whole registers, so that
// the inner loop knows no remainders.
#pragma once

#include <type_traits>
#include <utility>

#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {

// A matrix with element (i, j) at data[i · row + j · col].
template <class T>
struct Tile {
  T* data;
  int64_t row, col = 1;
  Tile transposed() const { return {data, col, row}; }
  Tile from(int64_t i, int64_t j = 0) const {
    return {data ? data + i * row + j * col : nullptr, row, col};
  }
  operator Tile<const T>() const requires(!std::is_const_v<T>) { return {data, row, col}; }
};

// The sums that one pass of the inner loop keeps in registers: rows × two registers of columns.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kTileRows = 12;  // of 32 registers
#else
inline constexpr int kTileRows = 6;  // of 16
#endif
template <class T>
inline constexpr int64_t kTileColumns = 2 * kLanes<T>;

// n rounded up to whole registers: the row of a tile of n columns.
template <class T>
inline constexpr int64_t padded(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

// Distances that the compiler knows, of columns of A and of rows of B; 0 where it does not. They leave
// registers for the addresses of twelve rows.
template <int64_t kCol, int64_t kRow>
struct Known {
  static int64_t col(int64_t given) { return kCol ? kCol : given; }
  static int64_t row(int64_t given) { return kRow ? kRow : given; }
};

// C = alpha A B, or base + alpha A B where `base` is not null; for R rows and N registers of
// columns, of which C and base have `left` and B all.
template <int R, int N, class Strides, class T>
[[gnu::always_inline]] inline void micro_product(int64_t inner, T alpha, Tile<const T> a,
                                                 Tile<const T> b, Tile<T> c, int64_t left,
                                                 Tile<const T> base) {
  constexpr int64_t W = kLanes<T>;
  Vec<T> sum[R][N];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) sum[r][n] = Vec<T>(T(0));
  for (int64_t p = 0; p < inner; ++p) {
    Vec<T> row[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n)
      row[n] = Vec<T>::load_unaligned(b.data + p * Strides::row(b.row) + n * W);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      Vec<T> x(a.data[r * a.row + p * Strides::col(a.col)]);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) sum[r][n] = xsimd::fma(x, row[n], sum[r][n]);
    }
  }
  // The registers are named by constants in each case, so that they never go through memory.
  auto finish = [&](auto put) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n)
        put(c.data + r * c.row + n * W, r * base.row + n * W, Vec<T>(alpha) * sum[r][n], n * W);
  };
  if (left < N * W)
    finish([&](T* to, int64_t at, Vec<T> y, int64_t n) {
      store(to, base.data ? y + load(base.data + at, left - n) : y, left - n);
    });
  else if (base.data)
    finish([&](T* to, int64_t at, Vec<T> y, int64_t) {
      (y + Vec<T>::load_unaligned(base.data + at)).store_unaligned(to);
    });
  else
    finish([](T* to, int64_t, Vec<T> y, int64_t) { y.store_unaligned(to); });
}

// The rows that are left when blocks of R are done go in smaller blocks.
template <int R, int N, class Strides, class T>
inline void rows_product(int64_t m, int64_t inner, T alpha, Tile<const T> a, Tile<const T> b,
                         Tile<T> c, int64_t left, Tile<const T> base) {
  int64_t i = 0;
  for (; i + R <= m; i += R)
    micro_product<R, N, Strides>(inner, alpha, a.from(i), b, c.from(i), left, base.from(i));
  if constexpr (R > 1)
    if (i < m)
      rows_product<(R > 4 ? 4 : R / 2), N, Strides>(m - i, inner, alpha, a.from(i), b, c.from(i),
                                                    left, base.from(i));
}

// All rows, for N registers of columns.
template <int N, class T>
inline void panel_product(int64_t m, int64_t inner, T alpha, Tile<const T> a, Tile<const T> b,
                          Tile<T> c, int64_t left, Tile<const T> base) {
  auto product = [&]<class Strides>(Strides) {
    rows_product<kTileRows, N, Strides>(m, inner, alpha, a, b, c, left, base);
  };
  constexpr int64_t P = kTileColumns<T>;
  if (b.row == P)
    a.col == 1 ? product(Known<1, P>{}) : product(Known<0, P>{});
  else
    a.col == 1 ? product(Known<1, 0>{}) : product(Known<0, 0>{});
}

// C = A B, or C + A B where `add`: A is m × inner with any strides; B is inner × n and C m × n,
// with col 1 and whole registers of columns.
template <class T>
inline void tile_product(int64_t m, int64_t n, int64_t inner, Tile<const T> a, Tile<const T> b,
                         Tile<T> c, bool add) {
  constexpr int64_t W = kLanes<T>;
  Tile<const T> none{nullptr, 0};
  int64_t j = 0;
  for (; j + W < n; j += 2 * W)
    panel_product<2>(m, inner, T(1), a, b.from(0, j), c.from(0, j), 2 * W,
                     add ? c.from(0, j) : none);
  if (j < n)
    panel_product<1>(m, inner, T(1), a, b.from(0, j), c.from(0, j), W, add ? c.from(0, j) : none);
}

// to = factor · from, rows contiguous in both; zeros up to whole registers.
template <class T>
inline void copy_tile(int64_t m, int64_t n, Tile<const T> from, Tile<T> to, T factor = T(1)) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; j += kLanes<T>)
      (Vec<T>(factor) * load(from.data + i * from.row + j, n - j))
          .store_unaligned(to.data + i * to.row + j);
}

// a₀ b₀ a₁ b₁ …, from the first or the second half of both. (xsimd 8's own zips each 128 bits
// apart.)
template <int kHalf, class T, size_t... i>
inline Vec<T> zipped(Vec<T> a, Vec<T> b, std::index_sequence<i...>) {
  constexpr size_t W = size_t(kLanes<T>);
  return Vec<T>(__builtin_shufflevector(a.data, b.data, (kHalf * W / 2 + i / 2 + i % 2 * W)...));
}

// to = from, where `to` has n columns and no more.
template <class T>
inline void store_tile(int64_t m, int64_t n, Tile<const T> from, Tile<T> to) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; j += kLanes<T>)
      store(to.data + i * to.row + j, Vec<T>::load_unaligned(from.data + i * from.row + j), n - j);
}

// A row of whole registers.
template <class T>
inline void scale_row(T* row, int64_t n, T factor) {
  for (int64_t c = 0; c < n; c += kLanes<T>)
    (Vec<T>(factor) * Vec<T>::load_unaligned(row + c)).store_unaligned(row + c);
}

// row += factor · other, both of whole registers.
template <class T>
inline void add_row(T* row, int64_t n, T factor, const T* other) {
  for (int64_t c = 0; c < n; c += kLanes<T>)
    xsimd::fma(Vec<T>(factor), Vec<T>::load_unaligned(other + c), Vec<T>::load_unaligned(row + c))
        .store_unaligned(row + c);
}

// row ← row ∘ by, both of whole registers.
template <class T>
inline void multiply_row(T* row, int64_t n, const T* by) {
  for (int64_t c = 0; c < n; c += kLanes<T>)
    (Vec<T>::load_unaligned(row + c) * Vec<T>::load_unaligned(by + c)).store_unaligned(row + c);
}

// a·b of rows of whole registers.
template <class T>
inline T dot_rows(const T* a, const T* b, int64_t n) {
  Vec<T> sum(T(0));
  for (int64_t i = 0; i < n; i += kLanes<T>)
    sum = xsimd::fma(Vec<T>::load_unaligned(a + i), Vec<T>::load_unaligned(b + i), sum);
  return xsimd::hadd(sum);
}

// The transpose of a square of registers: log₂ W times, each register of the first half is zipped
// with its partner of the second.
template <class T>
inline void transpose_square(const T* from, int64_t from_row, T* to, int64_t to_row) {
  constexpr int W = int(kLanes<T>);
  Vec<T> x[W], y[W];
  for (int i = 0; i < W; ++i) x[i] = Vec<T>::load_unaligned(from + i * from_row);
  for (int step = 1; step < W; step *= 2) {
    for (int i = 0; i < W / 2; ++i) {
      y[2 * i] = zipped<0, T>(x[i], x[i + W / 2], std::make_index_sequence<W>());
      y[2 * i + 1] = zipped<1, T>(x[i], x[i + W / 2], std::make_index_sequence<W>());
    }
    for (int i = 0; i < W; ++i) x[i] = y[i];
  }
  for (int i = 0; i < W; ++i) x[i].store_unaligned(to + i * to_row);
}

// to[j, i] = from[i, j]: m rows of n become n rows of m, zeros up to whole registers.
template <class T>
inline void transpose_tile(int64_t m, int64_t n, Tile<const T> from, Tile<T> to) {
  constexpr int64_t W = kLanes<T>;
  int64_t whole_m = m / W * W, whole_n = n / W * W;
  for (int64_t j = 0; j < whole_n; j += W)
    for (int64_t i = 0; i < whole_m; i += W)
      transpose_square(from.data + i * from.row + j, from.row, to.data + j * to.row + i, to.row);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = j < whole_n ? whole_m : 0; i < padded<T>(m); ++i)
      to.data[j * to.row + i] = i < m ? from.data[i * from.row + j] : T(0);
}

// The rows of one head, [rows, width], in a tensor [batch, rows, heads, width].
template <class T>
inline Tile<T> head_rows(T* data, int64_t rows, int64_t heads, int64_t width, int64_t b,
                         int64_t h) {
  return {data + (b * rows * heads + h) * width, heads * width};
}

// Memory of one thread, handed out as tiles whose rows are whole registers.
template <class T>
struct Scratch {
  T* next;
  Tile<T> tile(int64_t rows, int64_t columns) {
    T* data = next;
    next += rows * padded<T>(columns);
    return {data, padded<T>(columns)};
  }
};

}  // namespace star::cpu::STAR_TARGET
