#include "star/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/error.h"

namespace star::synthesis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kExactPairs = 100;
constexpr size_t kExactProduct = 1000;

// The value that a share of a standard normal quantity exceeds.
double normal_exceeded_by(double share) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > share ? low : high) = middle;
  }
  return low;
}

// P(|Z| ≥ z) of a standard normal Z.
double two_sided(double z) { return std::min(1.0, std::erfc(z / std::sqrt(2.0))); }

void check_numbers(std::span<const double> x) {
  require(std::none_of(x.begin(), x.end(), [](double v) { return std::isnan(v); }),
          "statistics: a value that is not a number has no rank");
}

// The sizes of the groups of equal values.
std::vector<double> ties(std::span<const double> x) {
  check_numbers(x);
  std::vector<double> sorted(x.begin(), x.end()), sizes;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i] == sorted[i - 1])
      ++sizes.back();
    else
      sizes.push_back(1);
  }
  return sizes;
}

template <class F>
double sum_of(const std::vector<double>& sizes, const F& f) {
  double sum = 0;
  for (double t : sizes) sum += f(t);
  return sum;
}

double pairs(double t) { return t * (t - 1) / 2; }

// P(at most `few` inversions) of a random permutation of n: the n-th element adds 0 … n − 1 of
// them, all equally likely.
double probability_of_inversions(size_t n, size_t few) {
  std::vector<double> probability(few + 1, 0.0), next(few + 1);
  probability[0] = 1;
  for (size_t k = 2; k <= n; ++k) {
    double window = 0;
    for (size_t i = 0; i <= few; ++i) {
      window += probability[i];
      if (i >= k) window -= probability[i - k];
      next[i] = window / double(k);
    }
    probability.swap(next);
  }
  return std::accumulate(probability.begin(), probability.end(), 0.0);
}

double kendall_p(double difference, size_t count, const std::vector<double>& tx,
                 const std::vector<double>& ty) {
  double n = double(count);
  if (tx.size() == count && ty.size() == count && count <= kExactPairs) {
    double few = (pairs(n) - std::fabs(difference)) / 2;  // inversions of the rarer direction
    return std::min(1.0, 2 * probability_of_inversions(count, size_t(few)));
  }
  auto v = [](double t) { return t * (t - 1) * (2 * t + 5); };
  auto triples = [](double t) { return t * (t - 1) * (t - 2); };
  double variance = (v(n) - sum_of(tx, v) - sum_of(ty, v)) / 18 +
                    sum_of(tx, pairs) * sum_of(ty, pairs) / pairs(n) +
                    sum_of(tx, triples) * sum_of(ty, triples) / (9 * triples(n));
  return two_sided(std::fabs(difference) / std::sqrt(variance));
}

double log_binomial(int64_t n, int64_t k) {
  return std::lgamma(double(n) + 1) - std::lgamma(double(k) + 1) - std::lgamma(double(n - k) + 1);
}

// P(U ≤ least) for samples of n and m without ties: of all ways to choose the n places of the first
// sample, U + n (n + 1) / 2 being their sum.
double probability_of_u(size_t n, size_t m, size_t least) {
  // ways[k][u]: so many choices of k places among those seen have this U.
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(least + 1, 0.0));
  ways[0][0] = 1;
  for (size_t place = 1; place <= n + m; ++place) {
    for (size_t k = std::min(n, place); k >= 1; --k) {
      // As the k-th of the first sample it stands behind place − k of the second.
      for (size_t u = place - k; u <= least; ++u) ways[k][u] += ways[k - 1][u - (place - k)];
    }
  }
  double sum = std::accumulate(ways[n].begin(), ways[n].end(), 0.0);
  return sum / std::exp(log_binomial(int64_t(n + m), int64_t(n)));
}

// The regularised incomplete beta function I_x(a, b) by its continued fraction, which converges
// fast below the mean (a + 1)/(a + b + 2); evaluated by Lentz's method (Press et al., "Numerical
// recipes", 1992, section 6.4).
double incomplete_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(1 - x, b, a);
  constexpr double kTiny = 1e-300, kPrecise = 1e-16;
  constexpr int kMostTerms = 10000;
  auto not_zero = [](double v) { return std::fabs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m < kMostTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double step = 1;
    for (double term : {even, odd}) {
      d = 1 / not_zero(1 + term * d);
      c = not_zero(1 + term / c);
      step = c * d;
      fraction *= step;
    }
    if (std::fabs(step - 1) < kPrecise) break;
  }
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  return std::exp(log_front) * fraction / a;
}

}  // namespace

Spread spread_of(std::span<const double> x) {
  if (x.empty()) return {kNaN, kNaN};
  double n = double(x.size()), mean = std::accumulate(x.begin(), x.end(), 0.0) / n, squares = 0;
  for (double value : x) squares += (value - mean) * (value - mean);
  return {mean, x.size() < 2 ? kNaN : std::sqrt(squares / (n - 1))};
}

void ClusterMean::add(double sum, int64_t count) {
  if (count == 0) return;
  ++clusters_;
  count_ += count;
  sum_ += sum;
  squares_ += sum * sum;
  products_ += sum * double(count);
  counts_squared_ += double(count) * double(count);
}

double ClusterMean::mean() const { return count_ ? sum_ / double(count_) : std::nan(""); }

double ClusterMean::standard_error() const {
  if (clusters_ < 2) return std::nan("");
  // Σ (sum − mean · count)², which rounding may leave just below 0.
  const double m = mean(), n = double(clusters_);
  const double residuals = squares_ - 2 * m * products_ + m * m * counts_squared_;
  return std::sqrt(n / (n - 1) * std::max(residuals, 0.0)) / double(count_);
}

std::vector<double> ranks(std::span<const double> x) {
  check_numbers(x);
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return x[i] < x[j]; });
  std::vector<double> rank(x.size());
  for (size_t begin = 0, end = 0; begin < x.size(); begin = end) {
    while (end < x.size() && x[order[end]] == x[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) rank[order[i]] = double(begin + 1 + end) / 2;
  }
  return rank;
}

Kendall kendall_tau(std::span<const double> x, std::span<const double> y) {
  require(x.size() == y.size(), "kendall_tau: {} values against {}", x.size(), y.size());
  std::vector<double> tx = ties(x), ty = ties(y);
  auto sign = [](double a, double b) { return a < b ? -1 : a > b ? 1 : 0; };
  double difference = 0;
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < i; ++j) difference += sign(x[i], x[j]) * sign(y[i], y[j]);
  if (tx.size() < 2 || ty.size() < 2) return {kNaN, kNaN};
  double all = pairs(double(x.size()));
  double untied = (all - sum_of(tx, pairs)) * (all - sum_of(ty, pairs));
  return {difference / std::sqrt(untied), kendall_p(difference, x.size(), tx, ty)};
}

double tau_among_best(double tau, double share) {
  if (share >= 1) return tau;
  const double rho = std::sin(std::numbers::pi / 2 * tau);
  const double z = normal_exceeded_by(share);
  const double above =
      std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi) / share;  // the mean of those
  const double variance = 1 + above * (z - above);
  const double left = rho * std::sqrt(variance / (1 - rho * rho * (1 - variance)));
  return 2 / std::numbers::pi * std::asin(left);
}

double fisher_greater(int64_t with_a, int64_t a, int64_t with_b, int64_t b) {
  require(0 <= with_a && with_a <= a && 0 <= with_b && with_b <= b,
          "fisher_greater: {} of {} against {} of {}", with_a, a, with_b, b);
  const int64_t with = with_a + with_b;
  const double log_all = log_binomial(a + b, with);
  double p = 0;
  for (int64_t k = with_a; k <= std::min(a, with); ++k)
    p += std::exp(log_binomial(a, k) + log_binomial(b, with - k) - log_all);
  // All that can happen: rounding may not say otherwise.
  return with_a <= std::max<int64_t>(0, with - b) ? 1 : std::min(1.0, p);
}

double rank_sum(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return kNaN;
  if (a.size() > b.size()) std::swap(a, b);
  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  const std::vector<double> rank = ranks(all), tied = ties(all);
  double n = double(a.size()), m = double(b.size());
  double u = std::accumulate(rank.begin(), rank.begin() + long(a.size()), -n * (n + 1) / 2);
  u = std::min(u, n * m - u);
  if (tied.size() == all.size() && a.size() * b.size() <= kExactProduct)
    return std::min(1.0, 2 * probability_of_u(a.size(), b.size(), size_t(u)));
  if (tied.size() == 1) return kNaN;
  auto cubes = [](double t) { return t * t * t - t; };
  double variance = n * m / 12 * (n + m + 1 - sum_of(tied, cubes) / ((n + m) * (n + m - 1)));
  return two_sided(std::max(0.0, n * m / 2 - u - 0.5) / std::sqrt(variance));
}

double student_t_p(double t, double freedom) {
  require(freedom > 0, "student_t_p: {} degrees of freedom", freedom);
  if (std::isnan(t)) return kNaN;
  return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

double student_t_bound(double confidence, double freedom) {
  require(confidence >= 0 && confidence < 1, "student_t_bound: a confidence of {}", confidence);
  double low = 0, high = 1;
  while (student_t_p(high, freedom) > 1 - confidence) high *= 2;
  for (double middle; (middle = (low + high) / 2) > low && middle < high;)
    (student_t_p(middle, freedom) > 1 - confidence ? low : high) = middle;
  return high;
}

PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                   double confidence) {
  require(a.size() == b.size(), "paired_difference: {} values against {}", a.size(), b.size());
  check_numbers(a);
  check_numbers(b);
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  const Spread spread = spread_of(difference);
  const double n = double(a.size());
  PairedDifference result{int64_t(a.size()), spread.mean, kNaN, kNaN, kNaN, kNaN};
  if (a.size() < 2) return result;
  result.standard_error = spread.deviation / std::sqrt(n);
  const double reach = student_t_bound(confidence, n - 1) * result.standard_error;
  result.low = spread.mean - reach;
  result.high = spread.mean + reach;
  result.p = student_t_p(spread.mean / result.standard_error, n - 1);
  return result;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p.size(); ++i)
    if (!std::isnan(p[i])) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size(), kNaN);
  double least = 1;
  for (size_t i = order.size(); i-- > 0;) {
    least = std::min(least, p[order[i]] * double(order.size()) / double(i + 1));
    adjusted[order[i]] = least;
  }
  return adjusted;
}

}  // namespace star::synthesis
