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

// The order of the additions is given, so the result is exact.
KERNEL_CASE(scatter_rows) {
  for (const Look& look : looks()) {
    CAPTURE(look.n);
    CAPTURE(look.d);
    Array<T> table = s.random(look.table_rows * look.d), x = s.random(look.n * look.d);
    Array<int32_t> index = random_index(s, look);
    Doubles expected = table.doubles();
    for (int64_t i = 0; i < x.size(); ++i) {
      double& e = expected[size_t(index[i / look.d] * look.d + i % look.d)];
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
                        {2, 8, 1, 130, 0, 10},  {0, 3, 2, 4, 0, 1e4},     {2, 0, 2, 4, 0, 1e4}};
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
