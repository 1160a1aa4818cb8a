#include "star/screening.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "liv/pool_file.h"
#include "star/compiler.h"
#include "star/promotion.h"

namespace star {
namespace {

constexpr double kByLot = 0.2;

}  // namespace

Screening::Screening(const SearchSettings& settings)
    : settings_(settings), pool_(named_pool(settings.pool)) {}

const Screening::Known& Screening::known(const std::string& genome) {
  const auto [entry, is_new] = known_.try_emplace(genome);
  if (!is_new) return entry->second;
  try {
    const Backbone model(nullptr, compile(parse(genome, pool_), pool_), settings_.sizes);
    entry->second = {features_of(model, settings_.cache_context),
                     static_metrics(model, settings_.cache_context)};
  } catch (const Error&) {
    // A worker would say so, too.
  }
  return entry->second;
}

void Screening::learn(const std::string& genome, double loss) {
  rows_.push_back(known(genome).features);
  losses_.push_back(loss);
}

void Screening::fit() {
  if (rows_.size() >= feature_names().size()) model_.emplace(rows_, losses_);
}

double Screening::predict(const std::string& genome) {
  const Known& k = known(genome);
  return k.features.empty() ? std::nan("") : model_.value().predict(k.features);
}

std::vector<size_t> Screening::choose(const std::vector<std::string>& proposals, size_t count,
                                      const std::vector<Fitness>& population, Rng rng) {
  count = std::min(count, proposals.size());
  const double by_lot = kByLot * double(count), whole = std::floor(by_lot);
  const size_t lots = size_t(whole) + rng.chance(by_lot - whole);
  std::vector<Fitness> expected;
  for (auto& genome : proposals) {
    const double loss = predict(genome);
    expected.push_back({{}, 0, true});
    if (!std::isnan(loss)) expected.back() = early_fitness(settings_, known(genome).metrics, loss);
  }
  std::vector<size_t> chosen = best_newcomers(expected, population, count - lots), others;
  for (size_t i = 0; i < proposals.size(); ++i)
    if (!std::binary_search(chosen.begin(), chosen.end(), i)) others.push_back(i);
  rng.shuffle(others);
  chosen.insert(chosen.end(), others.begin(), others.begin() + long(lots));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace star
