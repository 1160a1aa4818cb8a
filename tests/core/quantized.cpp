#include "core/quantized.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/rng.h"
#include "cpu/cpu.h"

namespace star {
namespace {

TEST_CASE("quantized: every number is within half a scale, and the largest takes all of it") {
  Rng rng(1, "test.quantized");
  Exec exec(cpu_backend());
  for (DType dtype : {DType::f32, DType::f64})
    for (int64_t n : {1, 3, 4, 5, 64, 129}) {
      const int64_t rows = 7, bytes = quantized_bytes(n);
      std::vector<double> x(size_t(rows * n));
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = float(rng.normal() * std::pow(10, double(i / size_t(n)) - 3));
      const Tensor t = quantized(exec, exec.from({rows, n}, x, dtype));
      REQUIRE(t.shape() == Shape{rows, bytes});
      for (int64_t r = 0; r < rows; ++r) {
        const int8_t* row = t.data<int8_t>() + r * bytes;
        const double scale = quantized_scale(row);
        double largest = 0;
        int most = 0;
        for (int64_t i = 0; i < n; ++i) {
          const double value = x[size_t(r * n + i)];
          const int number = row[kScaleBytes + i];
          largest = std::max(largest, std::abs(value));
          most = std::max(most, std::abs(number));
          CHECK(std::abs(scale * number - value) <= scale * 0.50001);
        }
        CHECK(most == 127);
        CHECK(scale == doctest::Approx(largest / 127).epsilon(1e-6));
        for (int64_t i = kScaleBytes + n; i < bytes; ++i) CHECK(row[i] == 0);
      }
    }
}

TEST_CASE("quantized: rows of zeros, tiny rows, and what is no matrix of numbers") {
  Exec exec(cpu_backend());
  auto of = [&](const Shape& shape, std::vector<double> x) {
    return quantized(exec, exec.from(shape, x, DType::f64));
  };
  const Tensor zero = of({1, 3}, {0, 0, 0}), tiny = of({1, 2}, {1e-300, -1e-300});
  CHECK(zero.to_doubles() == std::vector<double>(8, 0.0));
  CHECK(quantized_scale(tiny.data<int8_t>()) == 0);
  CHECK(int(tiny.data<int8_t>()[kScaleBytes + 1]) == -127);
  CHECK_THROWS_WITH_AS(of({3}, {1, 2, 3}), "quantized: [3] is no matrix", Error);
  for (double x : {std::numeric_limits<double>::infinity(), std::nan("")})
    CHECK_THROWS_WITH_AS(of({1, 2}, {1, x}), doctest::Contains("is no number"), Error);
}

}  // namespace
}  // namespace star
