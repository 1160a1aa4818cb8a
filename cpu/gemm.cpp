// Matrix products. The work is cut into blocks whose bounds depend on the shape alone; a block is
// computed by OpenBLAS, which runs with one thread, or by products of tiles where the inner size is
// small or rows are few: there OpenBLAS spends its time on packing what is read too few times to be
// worth it.
#include <cblas.h>

#include <tuple>

#include "core/blas_memory.h"
#include "cpu/tile.h"

namespace star::cpu::STAR_TARGET {
namespace {

constexpr double kVectorTaskFlops = 3e4;  // of a product with a vector, which memory bounds
constexpr double kTaskFlops = 4e6;        // about 50 µs: a hand-over is small beside it
constexpr int64_t kLong = 512;            // rows or columns from which on there are eight blocks
constexpr int64_t kSmallInner = 512;      // the largest inner size of products of tiles, unless …

// … rows of A are so few, and those of B so near, that B is read where it lies and not copied into
// panels. A row of a panel has to be two lines of the cache, as with the widest registers.
template <class T>
bool in_place(int64_t rows, Tile<const T> b) {
  constexpr int64_t kFewRows = kTileColumns<T> * sizeof(T) == 128 ? 512 : 0, kNearRows = 512;
  return rows <= kFewRows && b.col == 1 && b.row <= kNearRows;
}

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
// meet all of them from the first level. Panels that few rows meet stay where they are too: a
// gradient of weights is a sum over thousands of tokens, and to copy them takes an eighth of its time.
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
      auto stays = [&](int64_t j) { return in_place(m, b) && columns - j >= P; };
      auto packed = [&](int64_t j) { return Tile<T>{panels + j * inner, P}; };
      auto panel = [&](int64_t j) -> Tile<const T> {
        return stays(j) ? b.from(p, j0 + j) : packed(j);
      };
      for (int64_t j = 0; j < columns; j += P) {
        if (stays(j)) continue;
        int64_t width = std::min(P, columns - j);
        Tile<const T> from = b.from(p, j0 + j);
        if (b.col == 1)
          copy_tile(inner, width, from, packed(j));
        else
          transpose_tile(width, inner, from.transposed(), packed(j));
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
bool needs_blas(const Gemm<T>& args, int64_t rows, int64_t columns) {
  const bool short_or_few =
      args.k <= kSmallInner || in_place<T>(rows, {args.b, args.b_row, args.b_col});
  const bool tiles = rows > 1 && columns > 1 && short_or_few;
  return args.k > 0 && !(tiles && (args.beta == 0 || args.beta == 1));
}

// One product of rows r0 … r1 and columns c0 … c1 of C; `base` is null or C's.
template <class T>
void block_product(const Gemm<T>& args, const T* a, const T* b, T* c, const T* base, int64_t r0,
                   int64_t r1, int64_t c0, int64_t c1) {
  int m = int(r1 - r0), n = int(c1 - c0), k = int(args.k);
  a += r0 * args.a_row;
  b += c0 * args.b_col;
  c += r0 * args.c_row + c0;
  Tile<const T> from = Tile<const T>{base, args.base_row}.from(r0, c0);
  if (!base) from = {c, args.c_row};
  if (args.beta == 0) from = {nullptr, 0};
  if (k > 0 && !needs_blas(args, m, n))
    return packed_product<T>(m, n, k, args.alpha, {a, args.a_row, args.a_col},
                             {b, args.b_row, args.b_col}, {c, args.c_row}, from);
  if (from.data && from.data != c)
    for (int i = 0; i < m; ++i) std::copy_n(from.from(i).data, n, c + i * args.c_row);
  if (k == 0) {
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j)
        c[i * args.c_row + j] = args.beta == 0 ? T(0) : args.beta * c[i * args.c_row + j];
    return;
  }
  // A size of 1 leaves its stride free: any leading dimension that BLAS accepts will do.
  bool ta = args.a_col != 1 && k != 1, tb = args.b_col != 1 && n != 1;
  int lda = int(std::max<int64_t>(ta ? args.a_col : args.a_row, ta ? m : k));
  int ldb = int(std::max<int64_t>(tb ? args.b_col : args.b_row, tb ? k : n));
  if (m == 1) {
    int incx = int(k == 1 ? 1 : args.a_col);
    blas_gemv(tb ? CblasNoTrans : CblasTrans, tb ? n : k, tb ? k : n, args.alpha, b, ldb, a, incx,
              args.beta, c, 1);
  } else if (n == 1) {
    int incx = int(k == 1 ? 1 : args.b_row);
    blas_gemv(ta ? CblasTrans : CblasNoTrans, ta ? k : m, ta ? m : k, args.alpha, a, lda, b, incx,
              args.beta, c, int(args.c_row));
  } else {
    int ldc = int(std::max<int64_t>(args.c_row, n));
    blas_gemm(ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, args.alpha,
              a, lda, b, ldb, args.beta, c, ldc);
  }
}

template <class T>
void product(Exec& exec, const Gemm<T>& args) {
  int64_t batch = args.batch.numel();
  if (args.m == 0 || args.n == 0 || batch == 0) return;
  double flops = 2.0 * double(args.m) * double(args.n) * double(args.k);
  auto one = [&](int64_t item, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
    block_product(args, args.a + offset_of(item, args.batch, args.a_batch),
                  args.b + offset_of(item, args.batch, args.b_batch),
                  args.c + offset_of(item, args.batch, args.c_batch),
                  args.base ? args.base + offset_of(item, args.batch, args.c_batch) : nullptr, r0,
                  r1, c0, c1);
  };
  double task_flops = args.m == 1 || args.n == 1 ? kVectorTaskFlops : kTaskFlops;
  if (batch >= 8 || flops < 2 * task_flops) {
    if (needs_blas(args, args.m, args.n)) reserve_blas_memory(exec.pool().threads());
    int64_t items = std::max<int64_t>(1, int64_t(task_flops / std::max(flops, 1.0)));
    for_blocks(exec, batch, items, [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) one(item, 0, args.m, 0, args.n);
    });
    return;
  }
  bool by_rows = args.m >= args.n;
  int64_t size = by_rows ? args.m : args.n, step = by_rows ? kTileRows : kLanes<T>;
  // An even number of equal blocks: two threads are done at the same time.
  int64_t parts = std::min<int64_t>(size >= kLong ? 8 : 4, 2 * int64_t(flops / task_flops / 2));
  int64_t block = blocks_of(blocks_of(size, std::max<int64_t>(parts, 2)), step) * step;
  int64_t cuts = blocks_of(size, block);
  const int64_t last = size - (cuts - 1) * block;  // the smallest
  if (needs_blas(args, by_rows ? last : args.m, by_rows ? args.n : last))
    reserve_blas_memory(exec.pool().threads());
  exec.pool().run(batch * cuts, [&](int64_t task) {
    int64_t begin = task % cuts * block, end = std::min(size, begin + block);
    if (by_rows)
      one(task / cuts, begin, end, 0, args.n);
    else
      one(task / cuts, 0, args.m, begin, end);
  });
}

// A factor of the products of a batch: rows × columns, one of its two strides is 1.
struct Factor {
  const float* data;
  int64_t rows, columns, row, col;
  Shape batch;  // strides
};

// A copy, rounded, of lines that follow each other: rows, or columns where these are whole. What a
// batch repeats is there once.
struct RoundedFactor {
  Tensor memory;
  Factor factor;

  RoundedFactor(Exec& exec, const Factor& from, const Shape& items) : factor(from) {
    const bool by_rows = from.col == 1;
    const int64_t lines = by_rows ? from.rows : from.columns;
    const int64_t length = by_rows ? from.columns : from.rows;
    (by_rows ? factor.row : factor.col) = length;
    Shape distinct = items;
    int64_t size = lines * length;
    for (int i = items.rank() - 1; i >= 0; --i) {
      if (from.batch[i] == 0) distinct[i] = 1;
      factor.batch[i] = from.batch[i] == 0 ? 0 : size;
      size *= distinct[i];
    }
    memory = exec.empty({size}, DType::f32);
    float* to = memory.data<float>();
    factor.data = to;
    const int dropped = dropped_bits(exec.math());
    const int64_t block = std::max<int64_t>(1, kBlock / std::max<int64_t>(1, length));
    for_blocks(exec, distinct.numel() * lines, block, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const float* x = from.data + offset_of(line / lines, distinct, from.batch) +
                         line % lines * (by_rows ? from.row : from.col);
        for (int64_t i = 0; i < length; ++i) to[line * length + i] = rounded(x[i], dropped);
      }
    });
  }
};

// The products of rounded factors are exact, and summed as those of others.
void rounded_product(Exec& exec, const Gemm<float>& args) {
  const Factor a{args.a, args.m, args.k, args.a_row, args.a_col, args.a_batch};
  const Factor b{args.b, args.k, args.n, args.b_row, args.b_col, args.b_batch};
  const RoundedFactor left(exec, a, args.batch), right(exec, b, args.batch);
  Gemm<float> of = args;
  std::tie(of.a, of.a_row, of.a_col, of.a_batch) =
      std::tie(left.factor.data, left.factor.row, left.factor.col, left.factor.batch);
  std::tie(of.b, of.b_row, of.b_col, of.b_batch) =
      std::tie(right.factor.data, right.factor.row, right.factor.col, right.factor.batch);
  product(exec, of);
}

}  // namespace

template <class T>
void gemm(Exec& exec, const Gemm<T>& args) {
  if constexpr (std::is_same_v<T, float>)
    if (exec.math() != Math::fp32) return rounded_product(exec, args);
  product(exec, args);
}

STAR_INSTANTIATE(gemm, Gemm)

}  // namespace star::cpu::STAR_TARGET
