// Matrix products by cuBLAS.
#include "cuda/backend.h"
#include "cuda/blas.h"

namespace star::cuda {
namespace {

// Before a product that adds to it, C receives the base.
template <class T>
void copy_base(Exec& exec, const Gemm<T>& args) {
  Copy<T> rows{args.batch, args.c_batch, args.c_batch, args.base, args.c, false};
  rows.shape.push_back(args.m), rows.shape.push_back(args.n);
  rows.src_strides.push_back(args.base_row), rows.src_strides.push_back(1);
  rows.dst_strides.push_back(args.c_row), rows.dst_strides.push_back(1);
  copy(exec, rows);
}

// A factor as cuBLAS has it, which counts by columns: stored by rows it is its own transpose there,
// and so are the product and the order of the factors. Columns are at least 1 apart, of nothing too.
struct Factor {
  bool transposed;
  int64_t leading;
};
Factor factor_of(int64_t rows, int64_t columns, int64_t row, int64_t column) {
  // With a single column its stride says nothing, and likewise with a single row.
  bool by_rows = column == 1 && (row >= columns || rows == 1);
  return {!by_rows,
          by_rows ? std::max({row, columns, int64_t(1)}) : std::max({column, rows, int64_t(1)})};
}

}  // namespace

template <class T>
void gemm(Exec& exec, const Gemm<T>& args) {
  int64_t items = args.batch.numel();
  if (args.m == 0 || args.n == 0 || items == 0) return;
  if (args.base && args.beta != 0) copy_base(exec, args);
  Factor a = factor_of(args.m, args.k, args.a_row, args.a_col);
  Factor b = factor_of(args.k, args.n, args.b_row, args.b_col);
  // The longest axis of the batch goes in one call.
  int inner = 0;
  for (int i = 1; i < args.batch.rank(); ++i)
    if (args.batch[i] > args.batch[inner]) inner = i;
  bool any = args.batch.rank() > 0;
  Shape rest = any ? args.batch.with(inner, 1) : args.batch;
  int64_t count = any ? args.batch[inner] : 1;
  auto step = [&](const Shape& strides) { return any ? strides[inner] : 0; };
  for (int64_t i = 0; i < rest.numel(); ++i)
    multiply<T>({.m = args.n,
                 .n = args.m,
                 .k = args.k,
                 .alpha = args.alpha,
                 .beta = args.beta,
                 .count = count,
                 .a = {.data = args.b + offset_of(i, rest, args.b_batch),
                       .transposed = b.transposed,
                       .leading = b.leading,
                       .step = step(args.b_batch)},
                 .b = {.data = args.a + offset_of(i, rest, args.a_batch),
                       .transposed = a.transposed,
                       .leading = a.leading,
                       .step = step(args.a_batch)},
                 .c = args.c + offset_of(i, rest, args.c_batch),
                 .c_leading = args.c_row,
                 .c_step = step(args.c_batch)},
                exec.math());
}

STAR_INSTANTIATE(gemm, Gemm)

}  // namespace star::cuda
