// What the training of a genome would come to, by a model of recorded ones: boosted trees over
// features of the genome say what is to be expected of it, a deviation that is its own and one that
// is its seed's are drawn with the covariances that the recordings have (Zela et al., "Surrogate
// NAS benchmarks", 2022). So a search can be replayed a thousand times faster than it runs, and in
// as many ways as one cares to compare, with the noise that it would meet.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "liv/layout.h"
#include "tools/experiments/recordings.h"
#include "tools/experiments/trees.h"

namespace star::experiments {

// Of a valid genome of the extended pool: how often each class stands in it, how it mixes tokens
// place by place, pairs, sharing, runs in parallel, and the logarithms of parameters and cache.
std::vector<double> genome_features(const std::string& genome, const Sizes& sizes);

class LossModel {
 public:
  // Of the training losses at `steps` and the quality behind them. Throws `Error` where the
  // recordings have no such steps, or are fewer than 20 genomes.
  LossModel(const Recordings& recordings, const std::vector<int64_t>& steps, const Sizes& sizes);

  // Of the genome itself, and of its training from a seed.
  std::vector<double> expected(const std::string& genome) const;
  std::vector<double> losses(const std::string& genome, uint64_t seed) const;

  // How well it is known, of each of its losses: Kendall's τ and the deviation of what was left out
  // when the trees were grown, and the deviation over seeds.
  struct Fit {
    double tau, residual, noise;
  };
  const std::vector<Fit>& fit() const { return fit_; }

 private:
  using Matrix = std::vector<std::vector<double>>;

  void judge(const Matrix& features, const Matrix& means);
  std::vector<double> drawn(const Matrix& factor, const std::string& purpose,
                            const std::string& genome, uint64_t index) const;

  Sizes sizes_;
  std::vector<BoostedTrees> trees_;  // one a loss
  Matrix own_, noise_;               // factors F of the covariances F Fᵀ
  std::vector<Fit> fit_;
  mutable std::map<std::string, std::vector<double>> known_;
};

}  // namespace star::experiments
