#include "liv/rank.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/rng.h"

namespace star::liv {
namespace {

// k orthonormal vectors of n ≥ k numbers, by Gram–Schmidt, twice for the sake of rounding.
Columns orthonormal(Rng& rng, int64_t k, int64_t n) {
  Columns q;
  while (int64_t(q.size()) < k) {
    std::vector<double> x(static_cast<size_t>(n));
    for (double& v : x) v = rng.normal();
    for (int pass = 0; pass < 2; ++pass) {
      for (auto& u : q) {
        double along = 0;
        for (size_t i = 0; i < x.size(); ++i) along += u[i] * x[i];
        for (size_t i = 0; i < x.size(); ++i) x[i] -= along * u[i];
      }
      double norm = 0;
      for (double v : x) norm += v * v;
      for (double& v : x) v /= std::sqrt(norm);
    }
    q.push_back(x);
  }
  return q;
}

// Σ_k s_k u_k v_kᵀ of m rows and n columns.
Columns matrix_of(Rng& rng, const std::vector<double>& s, int64_t m, int64_t n) {
  Columns u = orthonormal(rng, int64_t(s.size()), m), v = orthonormal(rng, int64_t(s.size()), n);
  Columns a(size_t(n), std::vector<double>(size_t(m), 0.0));
  for (size_t k = 0; k < s.size(); ++k)
    for (size_t j = 0; j < a.size(); ++j)
      for (size_t i = 0; i < a[j].size(); ++i) a[j][i] += s[k] * u[k][i] * v[k][j];
  return a;
}

}  // namespace

TEST_CASE("rank: singular values are those that a matrix was made of") {
  Rng rng(1, "test.rank");
  for (auto [m, n] : {std::pair{1, 1}, {1, 7}, {7, 1}, {5, 5}, {31, 9}, {9, 31}, {40, 40}}) {
    for (double scale : {1.0, 1e-200, 1e200}) {
      INFO(m << " by " << n << ", scale " << scale);
      std::vector<double> s;
      int64_t rank = 1 + rng.below(uint32_t(std::min(m, n)));
      // Wide apart, or in a cluster.
      double ratio = rng.chance(0.5) ? 0.3 : 0.999;
      for (int64_t k = 0; k < rank; ++k) s.push_back(scale * std::pow(ratio, k));
      std::vector<double> found = singular_values(matrix_of(rng, s, m, n));
      for (size_t k = 0; k < std::max(found.size(), s.size()); ++k) {
        double a = k < s.size() ? s[k] : 0, b = k < found.size() ? found[k] : 0;
        CHECK(std::abs(a - b) / s[0] < 1e-14);
      }
    }
  }
}

TEST_CASE("rank: values below the threshold do not count") {
  Rng rng(2, "test.rank");
  Columns a = matrix_of(rng, {1, 1e-3, 1e-6, 1e-9, 1e-12}, 12, 8);
  CHECK(numerical_rank(a, 0.5) == 1);
  CHECK(numerical_rank(a, 1e-5) == 2);
  CHECK(numerical_rank(a, 1e-7) == 3);
  CHECK(numerical_rank(a, 1e-10) == 4);
  CHECK(numerical_rank({}, 1e-10) == 0);
  CHECK(numerical_rank({{0, 0}, {0, 0}, {0, 0}}, 1e-10) == 0);
  CHECK(numerical_rank({{1, 2}, {2, 4}, {-1, -2}}, 1e-10) == 1);
  CHECK(numerical_rank({{1, NAN}, {2, 4}, {0, 0}}, 1e-10) == 2);
  CHECK(numerical_rank({{1, 0, INFINITY}, {2, 4, 0}}, 1e-10) == 2);
}

}  // namespace star::liv
