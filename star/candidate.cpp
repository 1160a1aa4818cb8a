#include "star/candidate.h"

#include <algorithm>

#include "core/json.h"
#include "star/compiler.h"
#include "star/device.h"
#include "star/measurement.h"

namespace star {
std::vector<std::string> measured_names(const SearchSettings& settings) {
  std::vector<std::string> names;
  auto add = [&](const std::string& name, const char* option) {
    bool again = std::find(names.begin(), names.end(), name) != names.end();
    if (parse_objective(name, option).measured() && !again) names.push_back(name);
  };
  for (auto& name : settings.objectives) add(name, "--objectives");
  for (auto& [name, bound] : settings.bounds) add(name, "--max");
  return names;
}

Metrics measure_candidate(const SearchSettings& settings, const std::string& genome) {
  pin_to_core();
  Exec exec(backend_named(settings.device), 1);
  int64_t before = resident_bytes();
  Backbone model = model_of(candidate_trial(settings, genome), &exec);
  Metrics metrics;
  std::vector<std::string> names = measured_names(settings);
  // The peak first: what a prefill takes is not given back.
  for (auto& name : names)
    if (parse_objective(name, "objective").what == Objective::memory)
      metrics[name] = double(measure_peak(exec, model, settings.cache_context) - before);
  for (auto& name : names) {
    Objective objective = parse_objective(name, "objective");
    if (objective.what == Objective::memory) continue;
    int64_t context = objective.context > 0 ? objective.context : settings.cache_context;
    Latency latency = objective.what == Objective::prefill ? measure_prefill(exec, model, context)
                                                           : measure_decode(exec, model, context);
    metrics[name] = latency.median_ms;
    metrics[name + ":spread"] = latency.spread_ms;
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

std::string to_text(const Request& r) {
  return nlohmann::json({r.measure, r.genome, r.recipe, r.states})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Request request_of(const std::string& text) {
  const nlohmann::json json = parse_json(text, "search: what a worker is asked");
  return {json.at(0).get<bool>(), json.at(1).get<std::string>(), json.at(2).get<std::string>(),
          json.at(3).get<std::string>()};
}

std::string answer(const SearchSettings& settings, const Dataset& data, const std::string& text) {
  const Request r = request_of(text);
  if (!r.measure)
    return to_text(evaluate(candidate_trial(settings, r.genome, r.recipe, r.states), data));
  Evaluation e;
  e.metrics = measure_candidate(settings, r.genome);
  return to_text(e);
}

}  // namespace star
