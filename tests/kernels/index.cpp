#include <complex>

#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Look {
  int64_t n, d, table_rows;
};
std::vector<Look> looks() {
  std::vector<Look> all;
  for (int64_t d : kAwkward) all.push_back({9, d, 4});  // rows repeat
  for (Look more : {Look{0, 5, 3}, {1, 1, 1}, {300, 130, 50}, {70, 700, 9}, {20000, 3, 100}})
    all.push_back(more);
  return all;
}

template <class T>
Array<int32_t> random_index(Session<T>& s, const Look& look) {
  Array<int32_t> index(look.n);
  for (int64_t i = 0; i < look.n; ++i) index[i] = int32_t(s.rng.below(uint32_t(look.table_rows)));
  return index;
}

// Most of a text is a few words.
template <class T>
Array<int32_t> skewed_index(Session<T>& s, const Look& look) {
  Array<int32_t> index = random_index(s, look);
  for (int64_t i = 0; i < look.n; ++i)
    if (s.rng.chance(0.5)) index[i] = int32_t(look.table_rows / 2);
  return index;
}

template <class T>
Array<T> whole_numbers(Session<T>& s, int64_t n) {
  Array<T> x(n);
  for (int64_t i = 0; i < n; ++i) x[i] = T(s.rng.below(17)) - T(8);
  return x;
}

}  // namespace

KERNEL_CASE(gather_rows) {
  for (const Look& look : looks()) {
    CAPTURE(look.n);
    CAPTURE(look.d);
    Array<T> table = s.random(look.table_rows * look.d), y(look.n * look.d);
    Array<int32_t> index = random_index(s, look);
    s.kernels().gather_rows(s.exec, {.n = look.n,
                                     .d = look.d,
                                     .table_rows = look.table_rows,
                                     .index = index,
                                     .table = table,
                                     .y = y});
    s.equal(y, [&] {
      Doubles expected;
      for (int64_t i = 0; i < y.size(); ++i)
        expected.push_back(table[index[i / look.d] * look.d + i % look.d]);
      return expected;
    });
  }
}

// On the host the order of the additions is given, so the result is exact; on a device it is one for
// whole numbers, whose sums are exact in any order, and rows outside of the table are left out.
KERNEL_CASE(scatter_rows) {
  std::vector<Look> all = looks();
  for (Look more : {Look{130, 2, 1}, {700, 33, 256}, {900, 3, 257}, {400, 2, 70000}})
    all.push_back(more);
  const bool in_order = !s.exec.arena().device();
  for (const Look& look : all) {
    CAPTURE(look.n);
    CAPTURE(look.d);
    CAPTURE(look.table_rows);
    auto numbers = [&](int64_t n) { return in_order ? s.random(n) : whole_numbers(s, n); };
    Array<T> table = numbers(look.table_rows * look.d), x = numbers(look.n * look.d);
    Array<int32_t> index = skewed_index(s, look);
    for (int64_t i = 0; i < look.n; ++i)
      if (!in_order && s.rng.chance(0.1)) index[i] = i % 2 ? -1 : int32_t(look.table_rows);
    Doubles expected = table.doubles();
    for (int64_t i = 0; i < x.size(); ++i) {
      int64_t row = index[i / look.d];
      if (row < 0 || row >= look.table_rows) continue;
      double& e = expected[size_t(row * look.d + i % look.d)];
      e = double(T(e + double(x[i])));
    }
    s.kernels().scatter_rows(s.exec, {.n = look.n,
                                      .d = look.d,
                                      .table_rows = look.table_rows,
                                      .index = index,
                                      .x = x,
                                      .table = table});
    s.equal(table, [&] { return expected; });
  }
}

// The pair (r, r + e/2) as a complex number, turned.
KERNEL_CASE(rotary) {
  struct Size {
    int64_t batch, length, heads, e, position;
    double base;
  };
  const Size sizes[] = {{1, 1, 1, 2, 0, 1e4},   {2, 7, 3, 4, 0, 1e4},     {1, 31, 1, 6, 5, 100},
                        {2, 33, 2, 14, 1, 1e4}, {1, 9, 2, 16, 4000, 1e4}, {1, 5, 1, 30, 0, 5e5},
                        {2, 17, 1, 32, 3, 1e4}, {1, 3, 2, 34, 0, 1e4},    {1, 129, 4, 64, 77, 1e4},
                        {2, 8, 1, 130, 0, 10},  {3, 2, 11, 130, 0, 1e4},  {1, 3, 20, 300, 2, 1e4},
                        {0, 3, 2, 4, 0, 1e4},   {2, 0, 2, 4, 0, 1e4}};
  for (auto [batch, length, heads, e, position, base] : sizes)
    for (bool inverse : {false, true}) {
      CAPTURE(length);
      CAPTURE(heads);
      CAPTURE(e);
      CAPTURE(inverse);
      int64_t n = batch * length * heads * e, half = e / 2;
      Array<T> x = s.random(n), y(n);
      s.kernels().rotary(s.exec, {.batch = batch,
                                  .length = length,
                                  .heads = heads,
                                  .e = e,
                                  .position = position,
                                  .base = base,
                                  .inverse = inverse,
                                  .x = x,
                                  .y = y});
      s.near(y, [&] {
        Doubles expected(size_t(n), 0.0);
        for (int64_t row = 0; row < batch * length * heads; ++row)
          for (int64_t r = 0; r < half; ++r) {
            double p = double(position + row / heads % length);
            double angle = p * std::pow(base, -2.0 * double(r) / double(e)) * (inverse ? -1 : 1);
            std::complex<double> pair(x[row * e + r], x[row * e + half + r]);
            pair *= std::polar(1.0, angle);
            expected[size_t(row * e + r)] = pair.real();
            expected[size_t(row * e + half + r)] = pair.imag();
          }
        return expected;
      });
    }
}
