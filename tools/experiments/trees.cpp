#include "tools/experiments/trees.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/rng.h"

namespace star::experiments {

// Features by columns, each value replaced by the number of the cuts below it: splits are searched
// among the cuts, quantiles where a feature has many values.
class BinnedFeatures {
 public:
  explicit BinnedFeatures(std::span<const std::vector<double>> rows)
      : cuts(rows[0].size()), bins(rows[0].size()) {
    for (size_t c = 0; c < cuts.size(); ++c) {
      std::vector<double> values;
      for (auto& row : rows) values.push_back(row[c]);
      cuts[c] = cuts_of(values);
      for (double v : values) {
        const auto below = std::lower_bound(cuts[c].begin(), cuts[c].end(), v);
        bins[c].push_back(uint8_t(below - cuts[c].begin()));
      }
    }
  }

  std::vector<std::vector<double>> cuts;   // of each column, ascending
  std::vector<std::vector<uint8_t>> bins;  // of each column: v <= cuts[bin], and above those before

 private:
  static constexpr size_t kCuts = 63;

  static std::vector<double> cuts_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    std::vector<double> between;
    for (size_t i = 0; i + 1 < values.size(); ++i)
      if (values[i] < values[i + 1]) between.push_back((values[i] + values[i + 1]) / 2);
    if (between.size() <= kCuts) return between;
    std::vector<double> quantiles;
    for (size_t k = 0; k < kCuts; ++k) quantiles.push_back(between[k * between.size() / kCuts]);
    return quantiles;
  }
};

// Grows one tree on residuals.
class TreeGrower {
 public:
  TreeGrower(const BinnedFeatures& features, std::span<const double> residuals,
             const BoostingOptions& options, Rng rng)
      : features_(features), residuals_(residuals), options_(options), rng_(rng) {}

  BoostedTrees::Tree grow() {
    columns_ = drawn(features_.cuts.size(), options_.columns);
    node(drawn(residuals_.size(), options_.rows), options_.depth);
    return tree_;
  }

 private:
  struct Split {
    int column = -1, bin = 0;
    double gain = 1e-12;
  };

  std::vector<int> drawn(size_t n, double share) {
    std::vector<int> all(n);
    std::iota(all.begin(), all.end(), 0);
    rng_.shuffle(all);
    all.resize(std::max<size_t>(1, size_t(std::llround(share * double(n)))));
    std::sort(all.begin(), all.end());
    return all;
  }

  int node(std::vector<int> rows, int depth) {
    const int place = int(tree_.size());
    double sum = 0;
    for (int i : rows) sum += residuals_[size_t(i)];
    BoostedTrees::Node made;
    made.value = sum / double(rows.size());
    tree_.push_back(made);
    const Split split = depth > 0 ? best_split(rows, sum) : Split{};
    if (split.column < 0) return place;
    const auto& bins = features_.bins[size_t(split.column)];
    const auto middle = std::stable_partition(rows.begin(), rows.end(),
                                              [&](int i) { return bins[size_t(i)] <= split.bin; });
    made.feature = split.column;
    made.threshold = features_.cuts[size_t(split.column)][size_t(split.bin)];
    made.left = node({rows.begin(), middle}, depth - 1);
    made.right = node({middle, rows.end()}, depth - 1);
    tree_[size_t(place)] = made;
    return place;
  }

  // What lowers the squared error most: Σ_left²/n_left + Σ_right²/n_right − Σ²/n.
  Split best_split(const std::vector<int>& rows, double sum) const {
    Split best;
    const int n = int(rows.size());
    for (int column : columns_) {
      const auto& bins = features_.bins[size_t(column)];
      const size_t cuts = features_.cuts[size_t(column)].size();
      std::vector<double> sums(cuts + 1, 0.0);
      std::vector<int> counts(cuts + 1, 0);
      for (int i : rows) {
        sums[bins[size_t(i)]] += residuals_[size_t(i)];
        ++counts[bins[size_t(i)]];
      }
      double left = 0;
      for (size_t bin = 0, kept = 0; bin < cuts; ++bin) {
        left += sums[bin];
        kept += size_t(counts[bin]);
        const int others = n - int(kept);
        if (std::min(int(kept), others) < options_.least) continue;
        const double right = sum - left;
        const double gain = left * left / double(kept) + right * right / others - sum * sum / n;
        if (gain > best.gain) best = {column, int(bin), gain};
      }
    }
    return best;
  }

  const BinnedFeatures& features_;
  std::span<const double> residuals_;
  const BoostingOptions& options_;
  Rng rng_;
  std::vector<int> columns_;
  BoostedTrees::Tree tree_;
};

BoostedTrees::BoostedTrees(std::span<const std::vector<double>> features,
                           std::span<const double> targets, const BoostingOptions& options)
    : rate_(options.rate) {
  require(!features.empty() && features.size() == targets.size(),
          "trees: {} rows of features, {} targets", features.size(), targets.size());
  for (auto& row : features)
    require(!row.empty() && row.size() == features[0].size(), "trees: rows of {} and {} features",
            features[0].size(), row.size());
  for (double y : targets) mean_ += y / double(targets.size());
  std::vector<double> residuals;
  for (double y : targets) residuals.push_back(y - mean_);
  const BinnedFeatures binned(features);
  for (int t = 0; t < options.trees; ++t) {
    TreeGrower grower(binned, residuals, options, Rng(options.seed, "trees", uint64_t(t)));
    trees_.push_back(grower.grow());
    for (size_t i = 0; i < residuals.size(); ++i)
      residuals[i] -= rate_ * leaf(trees_.back(), features[i]);
  }
}

double BoostedTrees::predict(std::span<const double> features) const {
  double y = mean_;
  for (const Tree& tree : trees_) y += rate_ * leaf(tree, features);
  return y;
}

double BoostedTrees::leaf(const Tree& tree, std::span<const double> features) {
  const Node* at = &tree.front();
  while (at->feature >= 0)
    at = &tree[size_t(features[size_t(at->feature)] <= at->threshold ? at->left : at->right)];
  return at->value;
}

}  // namespace star::experiments
