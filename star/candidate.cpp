#include "star/candidate.h"

#include <algorithm>

#include "star/compiler.h"
#include "star/device.h"
#include "star/measurement.h"

namespace star::synthesis {

std::vector<Objective> measured_objectives(const SearchSettings& settings) {
  std::vector<Objective> all;
  auto add = [&](const Objective& objective) {
    const bool again = std::find(all.begin(), all.end(), objective) != all.end();
    if (objective.measured() && !again) all.push_back(objective);
  };
  for (auto& objective : settings.objectives) add(objective);
  for (auto& [objective, bound] : settings.bounds) add(objective);
  return all;
}

Metrics measure_candidate(const SearchSettings& settings, const std::string& genome) {
  pin_to_core();
  Exec exec(backend_named(settings.device), 1);
  wait_for_rest(exec);
  const int64_t before = resident_bytes();
  const Backbone model = model_of(candidate_trial(settings, genome), &exec);
  std::vector<Objective> all = measured_objectives(settings);
  std::stable_partition(all.begin(), all.end(), [](auto& o) { return o->before_others; });
  Metrics metrics;
  for (auto& objective : all) {
    const int64_t context = objective.context() > 0 ? objective.context() : settings.cache_context;
    const Measured measured = objective->measure({exec, model, context, before});
    metrics[objective.name()] = measured.value;
    if (measured.spread) metrics[objective.spread_name()] = *measured.spread;
  }
  return metrics;
}

double cost_of(const SearchSettings& settings, const Pool& pool, const Genome& genome) {
  try {
    return Backbone(nullptr, compile(genome, pool), settings.sizes).training_flops();
  } catch (const Error&) {
    return 0;
  }
}

std::string answer(const SearchSettings& settings, const Dataset& data, const Request& r) {
  SearchSettings s = settings;
  if (!r.pool.empty()) s.pool = r.pool;
  if (!r.measure) return to_text(evaluate(candidate_trial(s, r.genome, r.recipe, r.states), data));
  Evaluation e;
  e.metrics = measure_candidate(s, r.genome);
  return to_text(e);
}

}  // namespace star::synthesis
