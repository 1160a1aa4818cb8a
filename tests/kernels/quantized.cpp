#include "core/quantized.h"

#include <cstring>

#include "tests/kernels/cases.h"

using namespace star;

namespace {

enum class Base { none, one_row, rows };

// Rows of whole numbers with a scale each, and the padding of a row as bad as may be.
template <class T>
Array<int8_t> random_rows(Session<T>& s, int64_t n, int64_t k) {
  const int64_t bytes = quantized_bytes(k);
  Array<int8_t> rows(n * bytes);
  for (int64_t i = 0; i < rows.size(); ++i) rows[i] = int8_t(int(s.rng.below(255)) - 127);
  for (int64_t j = 0; j < n; ++j) {
    const float scale = float(s.rng.uniform(1e-3, 1e-2));
    int8_t parts[sizeof scale];
    std::memcpy(parts, &scale, sizeof scale);
    for (int64_t i = 0; i < kScaleBytes; ++i) rows[j * bytes + i] = parts[i];
  }
  return rows;
}

double weight(const Array<int8_t>& rows, int64_t k, int64_t j, int64_t c) {
  const int64_t at = j * quantized_bytes(k);
  int8_t parts[kScaleBytes];
  for (int64_t i = 0; i < kScaleBytes; ++i) parts[i] = rows[at + i];
  return double(quantized_scale(parts)) * rows[at + kScaleBytes + c];
}

template <class T>
void product(Session<T>& s, int64_t m, int64_t n, int64_t k, Base form) {
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  CAPTURE(int(form));
  Array<T> x = s.random(m * k), y(m * n), base = s.random(form == Base::one_row ? n : m * n);
  Array<int8_t> rows = random_rows(s, n, k);
  const int64_t base_row = form == Base::rows ? n : 0;
  s.kernels().quantized_product(s.exec, {.m = m,
                                         .n = n,
                                         .k = k,
                                         .x = x,
                                         .rows = rows,
                                         .y = y,
                                         .base = form == Base::none ? nullptr : base.data(),
                                         .base_row = base_row});
  s.near(y, [&] {
    Doubles expected;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = form == Base::none ? 0 : double(base[i * base_row + j]);
        for (int64_t c = 0; c < k; ++c) sum += double(x[i * k + c]) * weight(rows, k, j, c);
        expected.push_back(sum);
      }
    return expected;
  });
}

}  // namespace

// Few rows and many, of all awkward lengths.
KERNEL_CASE(quantized_product) {
  for (int64_t k : kAwkward)
    for (int64_t m : {1, 4, 7, 16, 17}) product(s, m, 1 + s.rng.below(40), k, Base(s.rng.below(3)));
  for (Base form : {Base::none, Base::one_row, Base::rows}) {
    product(s, 1, 300, 700, form);
    product(s, 3, 9, 64, form);
    product(s, 60, 70, 130, form);
  }
}
