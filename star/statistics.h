// Correlations and tests for small samples, exact where that is cheap.
//
// A p-value is the probability, where there is nothing to be found, of data at least as extreme. It
// is NaN where the data cannot tell anything: fewer than two pairs, a constant, an empty sample.
// Throws `Error` for values that are not numbers and for samples that do not fit each other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace star::synthesis {

struct Spread {
  double mean;
  double deviation;  // of the sample, over n − 1; NaN for fewer than two values
};
Spread spread_of(std::span<const double> x);

// The mean of values that come in clusters of any size, such as the losses of the targets of a
// sequence, and its standard error where clusters are drawn independently and the values in one
// hang together: that of a ratio of sums (Cochran, "Sampling techniques", 1977, section 6.3).
class ClusterMean {
 public:
  void add(double sum, int64_t count);  // of a cluster; one without values adds nothing

  int64_t count() const { return count_; }  // of values
  double mean() const;                      // NaN without values
  double standard_error() const;            // NaN for fewer than two clusters

 private:
  int64_t clusters_ = 0, count_ = 0;
  double sum_ = 0, squares_ = 0, products_ = 0, counts_squared_ = 0;
};

// The places of the values, from 1 in ascending order; equal ones share the mean of theirs.
std::vector<double> ranks(std::span<const double> x);

// Kendall's τ-b, which allows for ties (Kendall, "The treatment of ties in ranking problems",
// 1945): the pairs in the same order minus those in the opposite one, over
//   √(pairs not tied in x · pairs not tied in y).
// p is two-sided: exact up to 100 pairs of values without ties, otherwise by
// the normal approximation with the variance under ties. x and y are of one length.
struct Kendall {
  double tau;
  double p;
};
Kendall kendall_tau(std::span<const double> x, std::span<const double> y);

// What a τ among all of two normal quantities comes to among the best `share` of them by one, 0 <
// share ≤ 1: selection narrows what it selects by, and with it the correlation (Thorndike,
// "Personnel selection", 1949, case 2).
double tau_among_best(double tau, double share);

// Fisher's exact test, one-sided: of `a` and `b` individuals `with_a` and `with_b` have a property;
// the probability that so many of all that have it, or more, fall among the `a`, drawn blindly.
double fisher_greater(int64_t with_a, int64_t a, int64_t with_b, int64_t b);

// The rank-sum test of Wilcoxon, Mann and Whitney, two-sided: whether the values of one sample tend
// to be greater. Exact up to a product of the sizes of 1000 without ties, otherwise by the normal
// approximation with the variance under ties and a correction for continuity.
double rank_sum(std::span<const double> a, std::span<const double> b);

// Student's t with `freedom` > 0 degrees of freedom: the probability of a T at least as far from 0
// as t, and the t that T stays within with the probability `confidence`, which is in [0, 1).
double student_t_p(double t, double freedom);
double student_t_bound(double confidence, double freedom);

// The mean of a − b, pair by pair, with an interval that holds the true one with the probability
// `confidence`, and the p of the paired t-test that it is 0. With fewer than two pairs nothing but
// the mean is known: the rest is NaN. Differences that are all one leave no room for doubt: the
// interval is a point, and p 0, or NaN where all are 0.
struct PairedDifference {
  int64_t n;
  double mean, standard_error;
  double low, high;
  double p;  // two-sided
};
PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                   double confidence = 0.95);

// p-values adjusted for their number (Benjamini and Hochberg, "Controlling the false discovery
// rate", 1995): of those that are at most q, a share of q is expected to be false. NaN stays NaN
// and counts for nothing.
std::vector<double> benjamini_hochberg(std::span<const double> p);

}  // namespace star::synthesis
