// Boosted trees against functions that are known.
#include "tools/experiments/trees.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/rng.h"

namespace star::experiments {
namespace {

struct Sample {
  std::vector<std::vector<double>> features;
  std::vector<double> targets;
};

// Of the five features two count, together and by steps; one is constant.
double planted(const std::vector<double>& x) {
  return (x[0] > 0.3 ? 2 : 0) * (x[1] > 0 ? 1 : -1) + x[2];
}

Sample sample(uint64_t seed, int count, double noise) {
  Rng rng(seed, "test.trees");
  Sample s;
  for (int i = 0; i < count; ++i) {
    std::vector<double> x = {rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-1, 1),
                             rng.normal(), 7};
    s.targets.push_back(planted(x) + noise * rng.normal());
    s.features.push_back(std::move(x));
  }
  return s;
}

}  // namespace

TEST_CASE("experiments: trees recover what depends on several features, of samples not seen") {
  const Sample seen = sample(1, 600, 0.2), unseen = sample(2, 300, 0);
  const BoostedTrees trees(seen.features, seen.targets), again(seen.features, seen.targets);
  double squares = 0, variance = 0;
  for (size_t i = 0; i < unseen.targets.size(); ++i) {
    const double y = trees.predict(unseen.features[i]);
    CHECK(y == again.predict(unseen.features[i]));
    squares += std::pow(y - unseen.targets[i], 2);
    variance += std::pow(unseen.targets[i], 2);
  }
  CHECK(squares < 0.08 * variance);
}

TEST_CASE("experiments: trees of features that say nothing predict the mean") {
  const std::vector<std::vector<double>> features(10, {1.0, 2.0});
  const std::vector<double> targets = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  // A tree is grown on a share of the rows, whose mean is not quite that of all.
  const BoostedTrees all(features, targets, {.rows = 1});
  CHECK(all.predict(std::vector<double>{5, 5}) == doctest::Approx(5.5));
}

TEST_CASE("experiments: trees refuse what is no sample") {
  const std::vector<std::vector<double>> none, ragged = {{1, 2}, {1}}, empty = {{}, {}};
  const std::vector<double> two = {1, 2};
  for (auto* features : {&none, &ragged, &empty})
    CHECK_THROWS_AS(BoostedTrees(*features, two), Error);
}

}  // namespace star::experiments
