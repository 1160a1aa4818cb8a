#include "liv/rank.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace star::liv {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The rows of R of A P = Q R, by modified Gram–Schmidt, until what is left of A is rounding.
Columns triangular_rows(Columns a) {
  Columns rows;
  double first = 0;
  while (rows.size() < a.size()) {
    std::vector<double> squares;
    for (auto& column : a) squares.push_back(dot(column, column));
    size_t pivot = size_t(std::max_element(squares.begin(), squares.end()) - squares.begin());
    double norm = std::sqrt(squares[pivot]);
    first = std::max(first, norm);
    if (!(norm > kEpsilon * first)) break;
    std::vector<double> q = a[pivot], row;
    for (double& x : q) x /= norm;
    for (auto& column : a) {
      double along = dot(q, column);
      row.push_back(along);
      for (size_t i = 0; i < column.size(); ++i) column[i] -= along * q[i];
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Turns two vectors in their plane until they are orthogonal; false if they were.
bool orthogonalise(std::vector<double>& a, std::vector<double>& b) {
  double aa = dot(a, a), bb = dot(b, b), ab = dot(a, b);
  if (std::abs(ab) <= kEpsilon * std::sqrt(aa * bb)) return false;
  double cot = (bb - aa) / (2 * ab);
  double t = std::copysign(1 / (std::abs(cot) + std::hypot(1, cot)), cot);
  double c = 1 / std::hypot(1, t), s = c * t;
  for (size_t i = 0; i < a.size(); ++i) {
    double x = a[i];
    a[i] = c * x - s * b[i];
    b[i] = s * x + c * b[i];
  }
  return true;
}

}  // namespace

std::vector<double> singular_values(Columns a) {
  // Scaled to 1, so that squares neither overflow nor vanish.
  double largest = 0;
  for (auto& column : a)
    for (double x : column) {
      if (!std::isfinite(x)) return {std::numeric_limits<double>::quiet_NaN()};
      largest = std::max(largest, std::abs(x));
    }
  if (largest == 0) return {};
  for (auto& column : a)
    for (double& x : column) x /= largest;
  Columns rows = triangular_rows(std::move(a));
  constexpr int kSweeps = 60;  // ten are usual
  bool turned = true;
  for (int sweep = 0; sweep < kSweeps && turned; ++sweep) {
    turned = false;
    for (size_t i = 0; i < rows.size(); ++i)
      for (size_t j = i + 1; j < rows.size(); ++j) turned |= orthogonalise(rows[i], rows[j]);
  }
  std::vector<double> values;
  for (auto& row : rows) values.push_back(largest * std::sqrt(dot(row, row)));
  std::sort(values.rbegin(), values.rend());
  return values;
}

int64_t numerical_rank(Columns a, double threshold) {
  int64_t full = a.empty() ? 0 : int64_t(std::min(a.size(), a[0].size()));
  std::vector<double> values = singular_values(std::move(a));
  // What is not finite has no structure.
  if (!values.empty() && std::isnan(values[0])) return full;
  return std::count_if(values.begin(), values.end(),
                       [&](double s) { return s > threshold * values[0]; });
}

}  // namespace star::liv
