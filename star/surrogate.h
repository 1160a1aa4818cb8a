// A model of what a genome comes to, so that few trainings are spent on what is easily foretold:
// ridge regression (Hoerl and Kennard, 1970) on features that can be read off a genome.
#pragma once

#include <string>
#include <vector>

#include "liv/backbone.h"

namespace star::synthesis {

// What is known of a model by its digits: of each family (star/family.h) its share of the LIVs,
// whether it occurs, and the place of its first LIV (from 0 to 1; 1 where there is none); the
// shares of differential, of parallel LIVs, of neighbours of one family, of LIVs that take weights
// and of those that take features from others; the number of classes and of LIVs; the logarithms of
// parameters and of the cache's bytes at `cache_context` tokens.
std::vector<double> features_of(const Backbone& model, int64_t cache_context);
std::vector<std::string> feature_names();

// y ≈ a + wᵀx, in double precision: w minimises Σ (y − a − wᵀz)² + λ |w|² over features z of mean 0
// and deviation 1. Of several λ, multiples of the number of rows, the one with the least error of
// leave-one-out prediction, which follows from one fit: the residual of row i over 1 − h_ii, with
// h = 1/n + Z (ZᵀZ + λ)⁻¹ Zᵀ (Allen, 1974).
class Ridge {
 public:
  // Rows of one length, as many as targets, at least two. Throws `Error` otherwise.
  Ridge(const std::vector<std::vector<double>>& rows, const std::vector<double>& targets);

  double predict(const std::vector<double>& row) const;
  double penalty() const { return penalty_; }  // the λ chosen

 private:
  std::vector<double> standardised(const std::vector<double>& row) const;

  std::vector<double> mean_, scale_, weights_;
  double intercept_ = 0, penalty_ = 0;
};

}  // namespace star::synthesis
