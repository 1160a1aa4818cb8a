#include "star/surrogate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/error.h"
#include "star/drawing.h"
#include "star/family.h"
#include "star/statistics.h"

namespace star::synthesis {
namespace {

constexpr Family kFamilies[] = {Family::attention, Family::linear_attention, Family::convolution,
                                Family::recurrence, Family::memoryless};
constexpr double kPenalties[] = {1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10};  // a row

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The lower factor of a symmetric positive definite matrix.
Matrix cholesky(Matrix a) {
  for (size_t j = 0; j < a.size(); ++j) {
    for (size_t k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
    a[j][j] = std::sqrt(a[j][j]);
    for (size_t i = j + 1; i < a.size(); ++i) {
      for (size_t k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
      a[i][j] /= a[j][j];
    }
  }
  return a;
}

// x of L x = b.
Vector forward(const Matrix& l, Vector b) {
  for (size_t i = 0; i < b.size(); ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= l[i][k] * b[k];
    b[i] /= l[i][i];
  }
  return b;
}

// x of Lᵀ x = b.
Vector backward(const Matrix& l, Vector b) {
  for (size_t i = b.size(); i-- > 0;) {
    for (size_t k = i + 1; k < b.size(); ++k) b[i] -= l[k][i] * b[k];
    b[i] /= l[i][i];
  }
  return b;
}

// LIVs that take something of another, each once.
double takers(const Backbone& model, bool weights) {
  std::set<int> all;
  for (auto& link : links_of(model, weights)) all.insert(link.to);
  return double(all.size());
}

}  // namespace

std::vector<double> features_of(const Backbone& model, int64_t cache_context) {
  const auto& blocks = model.blocks();
  const double depth = double(blocks.size());
  std::vector<double> features;
  double differential = 0, parallel = 0, alike = 0;
  std::set<char> classes;
  for (size_t i = 0; i < blocks.size(); ++i) {
    classes.insert(blocks[i].liv.id);
    differential += blocks[i].liv.differential;
    parallel += blocks[i].parallel;
    alike += i > 0 && family_of(blocks[i].liv) == family_of(blocks[i - 1].liv);
  }
  for (Family family : kFamilies) {
    const auto is = [&](const Block& b) { return family_of(b.liv) == family; };
    const double count = double(std::count_if(blocks.begin(), blocks.end(), is));
    const double first = double(std::find_if(blocks.begin(), blocks.end(), is) - blocks.begin());
    features.insert(features.end(), {count / depth, double(count > 0), first / depth});
  }
  features.insert(features.end(),
                  {differential / depth, parallel / depth, alike / depth,
                   takers(model, true) / depth, takers(model, false) / depth,
                   double(classes.size()), depth, std::log1p(double(model.parameter_count())),
                   std::log1p(double(model.cache_bytes(cache_context)))});
  return features;
}

std::vector<std::string> feature_names() {
  std::vector<std::string> names;
  for (Family family : kFamilies)
    for (const char* what : {"share", "presence", "first place"})
      names.push_back(fmt::format("{}: {}", name_of(family), what));
  for (const char* name : {"differential", "parallel", "neighbours alike", "weights shared",
                           "features reused", "classes", "depth", "log parameters", "log cache"})
    names.push_back(name);
  return names;
}

Ridge::Ridge(const Matrix& rows, const Vector& targets) {
  const size_t n = rows.size();
  require(n >= 2 && targets.size() == n, "ridge: {} rows, {} targets", n, targets.size());
  const size_t features = rows[0].size();
  for (auto& row : rows)
    require(row.size() == features, "ridge: a row of {} features, the first has {}", row.size(),
            features);
  for (size_t k = 0; k < features; ++k) {
    Vector column;
    for (auto& row : rows) column.push_back(row[k]);
    const Spread spread = spread_of(column);
    mean_.push_back(spread.mean);
    // What never varied says nothing, also where it does.
    scale_.push_back(spread.deviation > 0 ? 1 / spread.deviation : 0);
  }
  intercept_ = spread_of(targets).mean;
  Matrix z, gram(features, Vector(features));
  Vector moment(features);
  for (auto& row : rows) z.push_back(standardised(row));
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k < features; ++k) {
      moment[k] += z[i][k] * (targets[i] - intercept_);
      for (size_t l = 0; l < features; ++l) gram[k][l] += z[i][k] * z[i][l];
    }
  double least = std::numeric_limits<double>::infinity();
  for (double share : kPenalties) {
    Matrix damped = gram;
    for (size_t k = 0; k < features; ++k) damped[k][k] += share * double(n);
    const Matrix lower = cholesky(std::move(damped));
    const Vector weights = backward(lower, forward(lower, moment));
    double error = 0;
    for (size_t i = 0; i < n; ++i) {
      const Vector half = forward(lower, z[i]);  // |half|² = zᵢᵀ (ZᵀZ + λ)⁻¹ zᵢ
      const double leverage = 1 / double(n) + dot(half, half);
      const double residual = targets[i] - intercept_ - dot(weights, z[i]);
      const double left_out = residual / std::max(1 - leverage, 1e-9);
      error += left_out * left_out;
    }
    if (!(error < least)) continue;
    least = error;
    weights_ = weights;
    penalty_ = share * double(n);
  }
  require(!weights_.empty() || features == 0, "ridge: a value is no number");
}

Vector Ridge::standardised(const Vector& row) const {
  require(row.size() == mean_.size(), "ridge: a row of {} features, not {}", row.size(),
          mean_.size());
  Vector z(row.size());
  for (size_t k = 0; k < row.size(); ++k) z[k] = (row[k] - mean_[k]) * scale_[k];
  return z;
}

double Ridge::predict(const Vector& row) const {
  return intercept_ + dot(weights_, standardised(row));
}

}  // namespace star::synthesis
