#include "star/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace star::synthesis {
namespace {

void penalise_repeats(std::vector<double>& logits, std::span<const int32_t> text,
                      const SamplingOptions& options) {
  if (options.repeat_penalty == 1) return;
  const size_t count = std::min(text.size(), size_t(options.repeat_last));
  const auto last = text.last(count);
  for (int32_t token : std::set<int32_t>(last.begin(), last.end())) {
    double& z = logits.at(size_t(token));
    z = z > 0 ? z / options.repeat_penalty : z * options.repeat_penalty;
  }
}

// So many of the weights, which fall, as have `share` of their sum.
size_t nucleus(const std::vector<double>& weights, double share) {
  if (share >= 1) return weights.size();
  const double wanted = share * std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t count = 0;
  for (double sum = 0; count < weights.size() && (count == 0 || sum < wanted); ++count)
    sum += weights[count];
  return count;
}

}  // namespace

int32_t draw_token(std::vector<double> logits, std::span<const int32_t> text,
                   const SamplingOptions& options, Rng& rng) {
  penalise_repeats(logits, text, options);
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  auto likelier = [&](int32_t a, int32_t b) {
    const double x = logits[size_t(a)], y = logits[size_t(b)];
    return x != y ? x > y : a < b;
  };
  size_t count = options.top_k > 0 ? std::min(order.size(), size_t(options.top_k)) : order.size();
  if (options.temperature <= 0) count = 1;
  std::partial_sort(order.begin(), order.begin() + int64_t(count), order.end(), likelier);
  if (count == 1) return order[0];
  const double peak = logits[size_t(order[0])];
  std::vector<double> weights;  // p but for a factor; the first is 1
  for (size_t i = 0; i < count; ++i)
    weights.push_back(std::exp((logits[size_t(order[i])] - peak) / options.temperature));
  weights.resize(nucleus(weights, options.top_p));
  while (weights.back() < options.min_p) weights.pop_back();
  double at = rng.uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < weights.size(); ++i)
    if ((at -= weights[i]) < 0) return order[i];
  return order[0];
}

}  // namespace star::synthesis
