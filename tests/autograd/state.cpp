#include "autograd/state.h"

#include <doctest/doctest.h>

#include <numeric>
#include <set>

#include "cpu/cpu.h"

namespace star {
namespace {

// Rows first … first + n − 1 of a sequence whose row t is (t, −t).
Tensor rows_from(Exec& exec, int64_t first, int64_t n) {
  std::vector<double> values;
  for (int64_t t = first; t < first + n; ++t) {
    values.push_back(double(t));
    values.push_back(-double(t));
  }
  return exec.from({1, n, 2}, values, DType::f64);
}

}  // namespace

TEST_CASE("state: a history keeps what was asked, behind zeros at first") {
  Exec exec(cpu_backend());
  State state;
  for (int64_t t = 0, n = 1; t < 20; t += n, n = n % 3 + 1) {
    Tensor all = state.extend(exec, 0, rows_from(exec, t, n), kAllRows);
    CHECK(all.to_doubles() == rows_from(exec, 0, t + n).to_doubles());
    // What lies behind the new rows, and then they.
    std::vector<double> expected(size_t(2 * std::max<int64_t>(4 - t, 0)), 0.0);
    const int64_t from = std::max<int64_t>(t - 4, 0);
    for (double x : rows_from(exec, from, t + n - from).to_doubles()) expected.push_back(x);
    CHECK(state.extend(exec, 1, rows_from(exec, t, n), 4, 4).to_doubles() == expected);
    CHECK(state.floats() == 2 * (t + n) + 2 * 4);
  }
}

TEST_CASE("state: a token costs its own row, not a copy of all before it") {
  Exec exec(cpu_backend());
  State state;
  std::set<const double*> places;
  for (int64_t t = 0; t < 1000; ++t)
    places.insert(state.extend(exec, 0, rows_from(exec, t, 1), kAllRows).data<double>());
  CHECK(places.size() <= 11);  // twice the room each time it is used up
}

TEST_CASE("state: rows that are the same for every sequence are made once") {
  Exec exec(cpu_backend());
  State state;
  int64_t made = 0;
  for (int64_t n : {3, 3, 1, 7, 20, 20}) {
    Tensor rows = state.memo(exec, n, [&](int64_t first, int64_t count) {
      CHECK(first == made);
      made += count;
      return rows_from(exec, first, count);
    });
    CHECK(rows.to_doubles() == rows_from(exec, 0, n).to_doubles());
  }
  CHECK(made == 20);
  CHECK(state.floats() == 0);
}

}  // namespace star
