// Matrix products. The work is cut into blocks whose bounds depend on the shape alone; a block is
// computed by OpenBLAS, which runs with one thread, or, where the inner size is small, by products
// of tiles: there OpenBLAS spends its time on packing A, which is read too few times to be worth
// it.
#include <cblas.h>

#include "core/blas_memory.h"
#include "cpu/tile.h"

namespace star::cpu::STAR_TARGET {
namespace {

constexpr double kVectorTaskFlops = 3e4;  // of a product with a vector, which memory bounds
constexpr double kTaskFlops = 4e6;        // about 50 µs: a hand-over is small beside it
constexpr int64_t kLong = 512;            // rows or columns from which on there are eight blocks
constexpr int64_t kSmallInner = 512;      // the largest inner size of products of tiles

void blas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha,
               const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void blas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha,
               const double* a, int lda, const double* b, int ldb, double beta, double* c,
               int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void blas_gemv(CBLAS_TRANSPOSE t, int m, int n, float alpha, const float* a, int lda,
               const float* x, int incx, float beta, float* y, int incy) {
  cblas_sgemv(CblasRowMajor, t, m, n, alpha, a, lda, x, incx, beta, y, incy);
}
void blas_gemv(CBLAS_TRANSPOSE t, int m, int n, double alpha, const double* a, int lda,
               const double* x, int incx, double beta, double* y, int incy) {
  cblas_dgemv(CblasRowMajor, t, m, n, alpha, a, lda, x, incx, beta, y, incy);
}

// C = alpha A B, or base + alpha A B where there is a base, in the order of Goto and van de Geijn
// ("Anatomy of high-performance matrix multiplication", 2008) with A left where it is: a block of B
// is copied into panels of kTileColumns that stay in the second-level cache, and a few rows of A
// meet all of them from the first level.
template <class T>
void packed_product(int64_t m, int64_t n, int64_t k, T alpha, Tile<const T> a, Tile<const T> b,
                    Tile<T> c, Tile<const T> base) {
  constexpr int64_t P = kTileColumns<T>, kInner = 256, kRows = 4 * kTileRows;
  constexpr int64_t kColumns = (int64_t(1) << 18) / int64_t(sizeof(T)) / kInner;
  alignas(64) T panels[kInner * kColumns];
  for (int64_t p = 0; p < k; p += kInner) {
    int64_t inner = std::min(kInner, k - p);
    for (int64_t j0 = 0; j0 < n; j0 += kColumns) {
      int64_t columns = std::min(kColumns, n - j0);
      auto panel = [&](int64_t j) { return Tile<T>{panels + j * inner, P}; };
      for (int64_t j = 0; j < columns; j += P) {
        int64_t width = std::min(P, columns - j);
        Tile<const T> from = b.from(p, j0 + j);
        if (b.col == 1)
          copy_tile(inner, width, from, panel(j));
        else
          transpose_tile(width, inner, from.transposed(), panel(j));
      }
      for (int64_t i = 0; i < m; i += kRows)
        for (int64_t j = 0; j < columns; j += P) {
          auto rows = columns - j > kLanes<T> ? panel_product<2, T> : panel_product<1, T>;
          Tile<T> at = c.from(i, j0 + j);
          rows(std::min(kRows, m - i), inner, alpha, a.from(i, p), panel(j), at, columns - j,
               p > 0 ? Tile<const T>(at) : base.from(i, j0 + j));
        }
    }
  }
}

// Whether OpenBLAS computes a block of so many rows and columns.
template <class T>
bool needs_blas(const Gemm<T>& g, int64_t rows, int64_t columns) {
  const bool packed = rows > 1 && columns > 1 && g.k <= kSmallInner;
  return g.k > 0 && !(packed && (g.beta == 0 || g.beta == 1));
}

// One product of rows r0 … r1 and columns c0 … c1 of C; `base` is null or C's.
template <class T>
void block_product(const Gemm<T>& g, const T* a, const T* b, T* c, const T* base, int64_t r0,
                   int64_t r1, int64_t c0, int64_t c1) {
  int m = int(r1 - r0), n = int(c1 - c0), k = int(g.k);
  a += r0 * g.a_row;
  b += c0 * g.b_col;
  c += r0 * g.c_row + c0;
  Tile<const T> from = Tile<const T>{base, g.base_row}.from(r0, c0);
  if (!base) from = {c, g.c_row};
  if (g.beta == 0) from = {nullptr, 0};
  if (k > 0 && !needs_blas(g, m, n))
    return packed_product<T>(m, n, k, g.alpha, {a, g.a_row, g.a_col}, {b, g.b_row, g.b_col},
                             {c, g.c_row}, from);
  if (from.data && from.data != c)
    for (int i = 0; i < m; ++i) std::copy_n(from.from(i).data, n, c + i * g.c_row);
  if (k == 0) {
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j)
        c[i * g.c_row + j] = g.beta == 0 ? T(0) : g.beta * c[i * g.c_row + j];
    return;
  }
  // A size of 1 leaves its stride free: any leading dimension that BLAS accepts will do.
  bool ta = g.a_col != 1 && k != 1, tb = g.b_col != 1 && n != 1;
  int lda = int(std::max<int64_t>(ta ? g.a_col : g.a_row, ta ? m : k));
  int ldb = int(std::max<int64_t>(tb ? g.b_col : g.b_row, tb ? k : n));
  if (m == 1) {
    int incx = int(k == 1 ? 1 : g.a_col);
    blas_gemv(tb ? CblasNoTrans : CblasTrans, tb ? n : k, tb ? k : n, g.alpha, b, ldb, a, incx,
              g.beta, c, 1);
  } else if (n == 1) {
    int incx = int(k == 1 ? 1 : g.b_row);
    blas_gemv(ta ? CblasTrans : CblasNoTrans, ta ? k : m, ta ? m : k, g.alpha, a, lda, b, incx,
              g.beta, c, int(g.c_row));
  } else {
    int ldc = int(std::max<int64_t>(g.c_row, n));
    blas_gemm(ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, g.alpha, a,
              lda, b, ldb, g.beta, c, ldc);
  }
}

int64_t batch_offset(int64_t index, const Shape& batch, const Shape& strides) {
  int64_t offset = 0;
  for (int i = batch.rank() - 1; i >= 0; --i) {
    offset += index % batch[i] * strides[i];
    index /= batch[i];
  }
  return offset;
}

}  // namespace

template <class T>
void gemm(Exec& exec, const Gemm<T>& g) {
  int64_t batch = g.batch.numel();
  if (g.m == 0 || g.n == 0 || batch == 0) return;
  double flops = 2.0 * double(g.m) * double(g.n) * double(g.k);
  auto one = [&](int64_t item, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    block_product(
        g, g.a + batch_offset(item, g.batch, g.a_batch),
        g.b + batch_offset(item, g.batch, g.b_batch), g.c + batch_offset(item, g.batch, g.c_batch),
        g.base ? g.base + batch_offset(item, g.batch, g.c_batch) : nullptr, r0, r1, c0, c1);
  };
  double task_flops = g.m == 1 || g.n == 1 ? kVectorTaskFlops : kTaskFlops;
  if (batch >= 8 || flops < 2 * task_flops) {
    if (needs_blas(g, g.m, g.n)) reserve_blas_memory(exec.pool().threads());
    int64_t items = std::max<int64_t>(1, int64_t(task_flops / std::max(flops, 1.0)));
    for_blocks(exec, batch, items, [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) one(item, 0, g.m, 0, g.n);
    });
    return;
  }
  bool by_rows = g.m >= g.n;
  int64_t size = by_rows ? g.m : g.n, step = by_rows ? kTileRows : kLanes<T>;
  // An even number of equal blocks: two threads are done at the same time.
  int64_t parts = std::min<int64_t>(size >= kLong ? 8 : 4, 2 * int64_t(flops / task_flops / 2));
  int64_t block = blocks_of(blocks_of(size, std::max<int64_t>(parts, 2)), step) * step;
  int64_t cuts = blocks_of(size, block);
  const int64_t last = size - (cuts - 1) * block;  // the smallest
  if (needs_blas(g, by_rows ? last : g.m, by_rows ? g.n : last))
    reserve_blas_memory(exec.pool().threads());
  exec.pool().run(batch * cuts, [&](int64_t task) {
    int64_t begin = task % cuts * block, end = std::min(size, begin + block);
    if (by_rows)
      one(task / cuts, begin, end, 0, g.n);
    else
      one(task / cuts, 0, g.m, begin, end);
  });
}

STAR_INSTANTIATE(gemm, Gemm)

}  // namespace star::cpu::STAR_TARGET
