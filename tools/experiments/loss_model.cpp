#include "tools/experiments/loss_model.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "star/compiler.h"
#include "star/objectives.h"
#include "star/statistics.h"

namespace star::experiments {
namespace {

using Matrix = std::vector<std::vector<double>>;

constexpr size_t kFolds = 5, kPlaces = 24;
constexpr int64_t kCacheContext = 4096;

// F with F Fᵀ = a, by Jacobi's rotations. The difference of two estimates of covariances need not
// be one: a direction in which it is negative has no deviation.
Matrix factor_of(Matrix a) {
  const size_t n = a.size();
  Matrix v(n, std::vector<double>(n, 0.0));
  for (size_t i = 0; i < n; ++i) v[i][i] = 1;
  constexpr int kSweeps = 30;
  for (int sweep = 0; sweep < kSweeps; ++sweep)
    for (size_t p = 0; p < n; ++p)
      for (size_t q = p + 1; q < n; ++q) {
        if (a[p][q] == 0) continue;
        const double angle = 0.5 * std::atan2(2 * a[p][q], a[q][q] - a[p][p]);
        const double c = std::cos(angle), s = std::sin(angle);
        const auto rotate = [&](double& x, double& y) {
          const double old = x;
          x = c * old - s * y;
          y = s * old + c * y;
        };
        for (size_t k = 0; k < n; ++k) rotate(a[k][p], a[k][q]);
        for (size_t k = 0; k < n; ++k) rotate(a[p][k], a[q][k]);
        for (size_t k = 0; k < n; ++k) rotate(v[k][p], v[k][q]);
      }
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) v[i][j] *= std::sqrt(std::max(a[j][j], 0.0));
  return v;
}

void add_products(Matrix& covariance, const std::vector<double>& x, double weight) {
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < x.size(); ++j) covariance[i][j] += weight * x[i] * x[j];
}

std::vector<double> column(const Matrix& rows, size_t c) {
  std::vector<double> values;
  for (auto& row : rows) values.push_back(row[c]);
  return values;
}

}  // namespace

std::vector<double> genome_features(const std::string& text, const Sizes& sizes) {
  static const Pool pool = extended_pool();
  const Genome genome = parse(text, pool);
  const auto& segments = genome.segments;
  const auto mixing = [&](const Segment& s) { return int(pool.find(s.liv)->op.mixing()); };
  std::vector<double> features;
  for (const LivClass& c : pool.classes)
    features.push_back(double(std::count_if(segments.begin(), segments.end(),
                                            [&](const Segment& s) { return s.liv == c.id; })));
  for (int kind = 1; kind <= 4; ++kind) {
    double first = double(segments.size()), count = 0;
    for (size_t l = segments.size(); l-- > 0;)
      if (mixing(segments[l]) == kind) first = double(l), ++count;
    features.insert(features.end(), {count, first});
  }
  for (size_t l = 0; l < kPlaces; ++l)
    features.push_back(l < segments.size() ? mixing(segments[l]) : 0);
  double parallel = 0, differential = 0, alternations = 0;
  for (size_t l = 0; l < segments.size(); ++l) {
    parallel += segments[l].parallel;
    differential += pool.find(segments[l].liv)->differential;
    alternations += l > 0 && (mixing(segments[l]) == 1) != (mixing(segments[l - 1]) == 1);
  }
  features.insert(features.end(), {parallel, differential, alternations});
  for (const SharingKind& kind : {kWeightSharing, kFeatureSharing}) {
    double members = 0;
    for (auto& group : sharing_groups(segments, kind)) members += double(group.size());
    features.push_back(members);
  }
  const Backbone model(nullptr, compile(genome, pool), sizes);
  features.push_back(std::log(double(model.body_parameter_count())));
  features.push_back(std::log(1 + double(model.cache_bytes(kCacheContext))));
  return features;
}

LossModel::LossModel(const Recordings& recordings, const std::vector<int64_t>& steps,
                     const Sizes& sizes)
    : sizes_(sizes) {
  std::vector<size_t> chosen;
  for (int64_t step : steps) {
    const auto at = std::find(recordings.steps.begin(), recordings.steps.end(), step);
    require(at != recordings.steps.end(), "recordings: no losses at step {}, but at {}", step,
            fmt::join(recordings.steps, ", "));
    chosen.push_back(size_t(at - recordings.steps.begin()));
  }
  chosen.push_back(recordings.steps.size());
  std::map<std::string, Matrix> by_genome;
  for (const Recording& r : recordings.rows) {
    std::vector<double> losses;
    for (size_t c : chosen) losses.push_back(r.losses[c]);
    by_genome[r.genome].push_back(losses);
  }
  require(by_genome.size() >= 20, "recordings: {} genomes are too few for a model",
          by_genome.size());

  const size_t outputs = chosen.size();
  Matrix features, means, within(outputs, std::vector<double>(outputs, 0.0));
  double freedom = 0;
  for (auto& [genome, trainings] : by_genome) {
    features.push_back(genome_features(genome, sizes));
    means.emplace_back();
    for (size_t c = 0; c < outputs; ++c)
      means.back().push_back(spread_of(column(trainings, c)).mean);
    for (auto& losses : trainings) {
      std::vector<double> off;
      for (size_t c = 0; c < outputs; ++c) off.push_back(losses[c] - means.back()[c]);
      add_products(within, off, 1);
    }
    freedom += double(trainings.size()) - 1;
  }
  for (auto& row : within)
    for (double& x : row) x /= std::max(freedom, 1.0);
  noise_ = factor_of(within);
  for (size_t c = 0; c < outputs; ++c) fit_.push_back({0, 0, std::sqrt(within[c][c])});
  judge(features, means);
  for (size_t c = 0; c < outputs; ++c) trees_.emplace_back(features, column(means, c));
}

// By trees that have not seen the genome: what they leave over is its own, but for the noise of the
// seeds, of which a mean of several has less; most genomes have one.
void LossModel::judge(const Matrix& features, const Matrix& means) {
  const size_t outputs = means[0].size(), n = means.size();
  Matrix left_over(n, std::vector<double>(outputs)), predicted = left_over;
  for (size_t fold = 0; fold < kFolds; ++fold) {
    Matrix some, targets;
    for (size_t i = 0; i < n; ++i)
      if (i % kFolds != fold) some.push_back(features[i]), targets.push_back(means[i]);
    for (size_t c = 0; c < outputs; ++c) {
      const BoostedTrees trees(some, column(targets, c));
      for (size_t i = fold; i < n; i += kFolds) {
        predicted[i][c] = trees.predict(features[i]);
        left_over[i][c] = means[i][c] - predicted[i][c];
      }
    }
  }
  Matrix own(outputs, std::vector<double>(outputs, 0.0));
  for (auto& row : left_over) add_products(own, row, 1 / double(n));
  for (size_t c = 0; c < outputs; ++c) {
    fit_[c].tau = kendall_tau(column(predicted, c), column(means, c)).tau;
    fit_[c].residual = std::sqrt(own[c][c]);
  }
  for (size_t i = 0; i < outputs; ++i)
    for (size_t j = 0; j < outputs; ++j)
      for (size_t k = 0; k < outputs; ++k) own[i][j] -= noise_[i][k] * noise_[j][k];
  own_ = factor_of(own);
}

std::vector<double> LossModel::drawn(const Matrix& factor, const std::string& purpose,
                                     const std::string& genome, uint64_t index) const {
  Rng rng(hash_text(genome), purpose, index);
  std::vector<double> z, x(factor.size(), 0.0);
  for (size_t i = 0; i < factor.size(); ++i) z.push_back(rng.normal());
  for (size_t i = 0; i < factor.size(); ++i)
    for (size_t j = 0; j < factor.size(); ++j) x[i] += factor[i][j] * z[j];
  return x;
}

std::vector<double> LossModel::expected(const std::string& genome) const {
  auto at = known_.find(genome);
  if (at != known_.end()) return at->second;
  const std::vector<double> features = genome_features(genome, sizes_);
  std::vector<double> y = drawn(own_, "replay.genome", genome, 0);
  for (size_t c = 0; c < y.size(); ++c) y[c] += trees_[c].predict(features);
  return known_[genome] = y;
}

std::vector<double> LossModel::losses(const std::string& genome, uint64_t seed) const {
  std::vector<double> y = expected(genome);
  const std::vector<double> noise = drawn(noise_, "replay.seed", genome, seed);
  for (size_t c = 0; c < y.size(); ++c) y[c] += noise[c];
  return y;
}

}  // namespace star::experiments
