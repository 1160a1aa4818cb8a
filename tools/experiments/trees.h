// Gradient-boosted regression trees (Friedman, "Greedy function approximation: a gradient boosting
// machine", 2001) under squared loss: what NAS-Bench-301 (Zela et al., 2022) found to model the
// losses of architectures best.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace star::experiments {

struct BoostingOptions {
  int trees = 300;
  int depth = 4;         // splits from the root to a leaf
  int least = 5;         // samples in a leaf
  double rate = 0.05;    // by which each tree is shrunk
  double rows = 0.7;     // share of the samples that a tree is grown on
  double columns = 0.5;  // share of the features among which it splits
  uint64_t seed = 0;
};

class BoostedTrees {
 public:
  // `features[i]` belongs to `targets[i]`. Throws `Error` where there are none or sizes differ.
  BoostedTrees(std::span<const std::vector<double>> features, std::span<const double> targets,
               const BoostingOptions& options = {});

  double predict(std::span<const double> features) const;

 private:
  struct Node {
    int feature = -1;      // −1: a leaf
    double threshold = 0;  // to the left if the feature is at most this
    int left = -1, right = -1;
    double value = 0;  // of a leaf
  };
  using Tree = std::vector<Node>;

  static double leaf(const Tree& tree, std::span<const double> features);

  double mean_ = 0, rate_ = 0;
  std::vector<Tree> trees_;

  friend class TreeGrower;
};

}  // namespace star::experiments
