// Sums over axes, in a fixed order: partial sums of kRun terms, then their sum, which keeps the
// rounding error of long reductions small.
#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

constexpr int64_t kRun = 64;

template <class T>
T row_sum(const T* x, int64_t n) {
  Vec<T> total(T(0));
  for (int64_t begin = 0; begin < n; begin += kRun * kLanes<T>) {
    Vec<T> part(T(0));
    int64_t end = std::min(n, begin + kRun * kLanes<T>);
    for (int64_t i = begin; i < end; i += kLanes<T>) part += load(x + i, end - i);
    total += part;
  }
  return xsimd::hadd(total);
}

}  // namespace

template <class T>
void sum(Exec& exec, const Sum<T>& args) {
  int64_t reduced = args.reduced.numel();
  int kept_rank = args.kept.rank(), reduced_rank = args.reduced.rank();
  bool columns = kept_rank > 0 && args.kept_strides.back() == 1 && args.kept.back() > 1;
  bool rows = reduced_rank > 0 && args.reduced_strides.back() == 1;
  int64_t width = columns ? args.kept.back() : 1;
  int64_t strips = columns ? blocks_of(width, 4 * kLanes<T>) : 1;
  int64_t outer = args.kept.numel() / std::max<int64_t>(width, 1);
  int64_t inner = rows ? args.reduced.back() : 1;

  auto strip_sum = [&](const T* x, T* y, int64_t left) {
    Vec<T> total(T(0));
    for (int64_t begin = 0; begin < reduced; begin += kRun) {
      Vec<T> part(T(0));
      for (int64_t r = begin; r < std::min(reduced, begin + kRun); ++r)
        part += load(x + offset_of(r, args.reduced, args.reduced_strides, reduced_rank), left);
      total += part;
    }
    store(y, total, left);
  };
  int64_t work = std::max<int64_t>(1, reduced * (columns ? 4 * kLanes<T> : 1));
  for_blocks(exec, outer * strips, rows_a_block(work), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t row = task / strips;
      const T* x = args.x + offset_of(row, args.kept, args.kept_strides, kept_rank - columns);
      T* y = args.y + row * width;
      if (columns) {
        int64_t from = task % strips * 4 * kLanes<T>, to = std::min(width, from + 4 * kLanes<T>);
        for (int64_t c = from; c < to; c += kLanes<T>) strip_sum(x + c, y + c, width - c);
        continue;
      }
      T total = 0;
      for (int64_t start = 0; start < reduced; start += kRun * inner) {
        T part = 0;
        for (int64_t r = start; r < std::min(reduced, start + kRun * inner); r += inner) {
          const T* p = x + offset_of(r / inner, args.reduced, args.reduced_strides,
                                     reduced_rank - int(rows));
          part += rows ? row_sum(p, inner) : *p;
        }
        total += part;
      }
      *y = total;
    }
  });
}

template <class T>
void sum_squares(Exec& exec, const SumSquares<T>& args) {
  int64_t blocks = blocks_of(args.n, kBlock);
  Tensor partial = exec.empty({blocks}, DType::f64);
  double* sums = partial.template data<double>();
  exec.pool().run(blocks, [&](int64_t block) {
    int64_t end = std::min(args.n, (block + 1) * kBlock);
    double total = 0;
    for (int64_t begin = block * kBlock; begin < end; begin += kRun * kLanes<T>) {
      Vec<T> part(T(0));
      int64_t stop = std::min(end, begin + kRun * kLanes<T>);
      for (int64_t i = begin; i < stop; i += kLanes<T>) {
        Vec<T> x = load(args.x + i, stop - i);
        part += x * x;
      }
      total += double(xsimd::hadd(part));
    }
    sums[block] = total;
  });
  *args.out = 0;
  for (int64_t i = 0; i < blocks; ++i) *args.out += sums[i];
}

STAR_INSTANTIATE(sum, Sum)
STAR_INSTANTIATE(sum_squares, SumSquares)

}  // namespace star::cpu::STAR_TARGET
