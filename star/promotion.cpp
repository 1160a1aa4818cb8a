#include "star/promotion.h"

#include <algorithm>
#include <cmath>

#include "star/trial.h"

namespace star::synthesis {
namespace {

constexpr double kRounding = 1e-9;  // of 10 · 0.3

}  // namespace

Fitness rung_fitness(const SearchSettings& settings, const Metrics& metrics, int64_t rung) {
  return early_fitness(settings, metrics, metrics.at(rung_metric(rung)));
}

Fitness early_fitness(const SearchSettings& settings, const Metrics& metrics, double loss) {
  Metrics known = metrics;
  known[Objective::quality().name()] = loss;
  std::vector<Objective> objectives = settings.objectives;
  if (settings.algorithm->by_first_objective)
    objectives.erase(objectives.begin() + 1, objectives.end());
  std::erase_if(objectives, [](auto& o) { return o != Objective::quality() && !o.counted(); });
  Bounds bounds = settings.bounds;
  std::erase_if(bounds, [](auto& b) { return !b.first.counted(); });
  return fitness_of(known, objectives, bounds);
}

std::vector<size_t> best_newcomers(std::span<const Fitness> newcomers,
                                   std::span<const Fitness> population, size_t count) {
  std::vector<Fitness> all(newcomers.begin(), newcomers.end());
  all.insert(all.end(), population.begin(), population.end());
  std::vector<size_t> best = best_first(standings(all));
  std::erase_if(best, [&](size_t i) { return i >= newcomers.size(); });
  best.resize(std::min(best.size(), count));
  std::sort(best.begin(), best.end());
  return best;
}

bool last_is_among_best(std::span<const Fitness> reached, double share) {
  const std::vector<size_t> order = best_first(standings(reached));
  const auto place = std::find(order.begin(), order.end(), reached.size() - 1) - order.begin();
  return double(place) < std::ceil(double(reached.size()) * share - kRounding);
}

Promotion::Promotion(const SearchSettings& settings)
    : by_generations_(settings.by_generations()),
      share_(settings.keep),
      rungs_(settings.rungs.size()),
      sizes_(settings.cohort_sizes()),
      next_(rungs_),
      reached_(rungs_) {}

void Promotion::reach(int individual, const Fitness& at_rung) {
  members_[size_t(individual)].value = at_rung;
}

void Promotion::fail(int individual) { members_[size_t(individual)].failed = true; }

std::vector<int> Promotion::decide(const Population& population) {
  std::vector<int> gone_on;
  for (size_t stage = 0; stage < rungs_; ++stage)
    by_generations_ ? decide_generation(stage, population, gone_on)
                    : decide_in_order(stage, gone_on);
  return gone_on;
}

void Promotion::go_on(size_t individual, std::vector<int>& gone_on) {
  ++members_[individual].stage;
  members_[individual].value.reset();
  gone_on.push_back(int(individual));
}

void Promotion::decide_generation(size_t stage, const Population& population,
                                  std::vector<int>& gone_on) {
  std::vector<size_t> here;
  std::vector<Fitness> values;
  for (size_t i = begin_; i < members_.size(); ++i) {
    const Member& m = members_[i];
    if (!m.open() || m.stage > stage) continue;
    if (m.stage < stage || !m.value) return;  // not all are here
    here.push_back(i);
    values.push_back(*m.value);
  }
  if (here.empty()) return;
  for (size_t i : here) members_[i].stopped = true;
  for (size_t best : best_newcomers(values, population(stage), size_t(sizes_[stage + 1]))) {
    members_[here[best]].stopped = false;
    go_on(here[best], gone_on);
  }
}

void Promotion::decide_in_order(size_t stage, std::vector<int>& gone_on) {
  for (; next_[stage] < members_.size(); ++next_[stage]) {
    Member& m = members_[next_[stage]];
    if (!m.open()) continue;  // it never came here
    if (m.stage < stage || !m.value) return;
    reached_[stage].push_back(*m.value);
    if (last_is_among_best(reached_[stage], share_))
      go_on(next_[stage], gone_on);
    else
      m.stopped = true;
  }
}

}  // namespace star::synthesis
