#include <array>

#include "tests/kernels/cases.h"

using namespace star;

namespace {

// How a matrix of rows × columns lies in memory: one stride is 1, the other has room to spare.
struct Layout {
  int64_t row, column, size;
};
Layout layout_of(int64_t rows, int64_t columns, bool transposed, int64_t spare) {
  if (transposed) return {1, rows + spare, (rows + spare) * columns};
  return {columns + spare, 1, (columns + spare) * rows};
}

// Strides of batch axes in the given order, over matrices of `size`; 0 where bit i of `repeated`.
struct BatchLayout {
  Shape strides;
  int64_t size;
};
BatchLayout batch_layout(const Shape& batch, int64_t size, bool reversed, unsigned repeated) {
  BatchLayout b{batch, size};
  for (int i = 0; i < batch.rank(); ++i) {
    int axis = reversed ? i : batch.rank() - 1 - i;
    bool repeat = repeated >> axis & 1;
    b.strides[axis] = repeat ? 0 : b.size;
    if (!repeat) b.size *= batch[axis];
  }
  return b;
}

struct Problem {
  int64_t m, n, k;
  Shape batch;
};

// As a product reads it.
float read(Math math, float x) { return math == Math::fp32 ? x : rounded(x, dropped_bits(math)); }
double read(Math, double x) { return x; }

template <class T>
void product(Session<T>& s, const Problem& p, bool a_transposed, bool b_transposed, double alpha,
             double beta) {
  auto [m, n, k, batch] = p;
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  CAPTURE(fmt::format("{}", batch));
  CAPTURE(a_transposed);
  CAPTURE(b_transposed);
  CAPTURE(beta);
  const Math math = std::array{Math::fp32, Math::tf32, Math::bf16}[s.rng.below(3)];
  const MathScope scope(s.exec, math);
  CAPTURE(int(math));
  int64_t spare = s.rng.below(4);
  Layout a = layout_of(m, k, a_transposed, spare), b = layout_of(k, n, b_transposed, spare);
  Layout c = layout_of(m, n, false, s.rng.below(4));
  BatchLayout a_batch = batch_layout(batch, a.size, s.rng.chance(0.5), s.rng.below(16));
  BatchLayout b_batch = batch_layout(batch, b.size, s.rng.chance(0.5), s.rng.below(16));
  BatchLayout c_batch = batch_layout(batch, c.size, s.rng.chance(0.5), 0);
  Array<T> A = s.random(a_batch.size), B = s.random(b_batch.size), C = s.random(c_batch.size);
  std::vector<int64_t> a_at, b_at, c_at;  // where each item's matrices begin
  for_each_offset(batch, a_batch.strides, [&](int64_t, int64_t at) { a_at.push_back(at); });
  for_each_offset(batch, b_batch.strides, [&](int64_t, int64_t at) { b_at.push_back(at); });
  for_each_offset(batch, c_batch.strides, [&](int64_t, int64_t at) { c_at.push_back(at); });
  auto each_element = [&](auto f) {
    for (size_t item = 0; item < c_at.size(); ++item)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) f(item, i, j, c_at[item] + i * c.row + j);
  };
  // With beta = 0, or with a base, C is only written.
  bool with_base = s.rng.chance(0.5), one_row = with_base && batch.empty() && s.rng.chance(0.5);
  if (one_row)
    each_element([&](size_t, int64_t i, int64_t j, int64_t at) { C[at] = i ? C[j] : C[at]; });
  Array<T> base = C;
  Doubles expected = C.doubles();
  if (beta == 0 || with_base)
    each_element([&](size_t, int64_t, int64_t, int64_t at) { C[at] = T(std::nan("")); });
  s.kernels().gemm(s.exec, {.m = m,
                            .n = n,
                            .k = k,
                            .a = A,
                            .a_row = a.row,
                            .a_col = a.column,
                            .b = B,
                            .b_row = b.row,
                            .b_col = b.column,
                            .c = C,
                            .c_row = c.row,
                            .batch = batch,
                            .a_batch = a_batch.strides,
                            .b_batch = b_batch.strides,
                            .c_batch = c_batch.strides,
                            .alpha = T(alpha),
                            .beta = T(beta),
                            .base = with_base ? base.data() : nullptr,
                            .base_row = one_row ? 0 : c.row});
  const bool loosely = sizeof(T) == 4 && math != Math::fp32 && on_card(s.exec.backend());
  const Math exact = loosely ? Math::fp32 : math;
  auto reference = [&] {
    each_element([&](size_t item, int64_t i, int64_t j, int64_t at) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += double(read(exact, A[a_at[item] + i * a.row + l * a.column])) *
               double(read(exact, B[b_at[item] + l * b.row + j * b.column]));
      expected[size_t(at)] = alpha * sum + (beta == 0 ? 0 : beta * expected[size_t(at)]);
    });
    return expected;
  };
  // Of k terms below 1, each with two factors that lose a unit of their last bit.
  if (loosely)
    s.near(C, reference, double(k) * std::abs(alpha), math == Math::tf32 ? 0x1p-9 : 0x1p-6);
  else
    s.near(C, reference);
}

}  // namespace

KERNEL_CASE(gemm) {
  const int64_t sizes[] = {1, 2, 3, 8, 15, 17, 31, 33};
  const Shape batches[] = {{}, {1}, {3}, {9}, {2, 3}, {2, 1, 3}, {2, 3, 1, 2}};
  auto any = [&](auto& list) { return list[s.rng.below(uint32_t(std::size(list)))]; };
  auto coin = [&] { return s.rng.chance(0.5); };
  for (int i = 0; i < 400; ++i)
    product(s, {any(sizes), any(sizes), any(sizes), any(batches)}, coin(), coin(), -0.5,
            std::array{0.0, 1.0, 2.0}[s.rng.below(3)]);
  // Nothing to add up, and nothing to write.
  for (double beta : {0.0, 1.0, 2.0})
    for (Problem p : {Problem{5, 3, 0, {2}}, {1, 3, 0, {3}}, {5, 1, 0, {3}}})
      for (bool transposed : {false, true}) product(s, p, transposed, transposed, 1, beta);
  for (Problem p : {Problem{0, 3, 4, {2}}, {3, 0, 4, {2}}, {3, 3, 4, {0}}})
    product(s, p, false, false, 1, 1);
  // Cut into blocks of rows or columns (one of them a single row), and by items of the batch; inner
  // sizes of one and of several tiles, and of OpenBLAS's.
  for (Problem p : {Problem{193, 129, 170, {}},
                    {128, 241, 170, {}},
                    {241, 97, 180, {2}},
                    {127, 129, 31, {9}},
                    {1, 129, 33, {40}},
                    {50, 300, 300, {}},
                    {600, 33, 257, {}},
                    {97, 65, 600, {}},
                    {31, 130, 513, {3}},
                    {129, 1, 127, {40}}})
    for (bool transposed : {false, true}) product(s, p, transposed, !transposed, 1, 1);
}
