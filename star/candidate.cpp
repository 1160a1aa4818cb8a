#include "star/candidate.h"

#include <algorithm>

#include "star/compiler.h"
#include "star/device.h"
#include "star/measurement.h"

namespace star {
namespace {

constexpr std::string_view kTrain = "train ", kMeasure = "measure ";

}  // namespace

Evaluation evaluate_candidate(const SearchSettings& settings, const Dataset& data,
                              const std::string& genome) {
  return evaluate(candidate_trial(settings, genome), data);
}

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

std::string training_request(const std::string& genome) { return std::string(kTrain) + genome; }

std::string measuring_request(const std::string& genome) { return std::string(kMeasure) + genome; }

std::string answer(const SearchSettings& settings, const Dataset& data,
                   const std::string& request) {
  if (request.starts_with(kMeasure)) {
    const std::string genome = request.substr(kMeasure.size());
    Evaluation e;
    e.metrics = measure_candidate(settings, genome);
    return to_text(e);
  }
  require(request.starts_with(kTrain), "search: a worker is asked `{}`", request);
  return to_text(evaluate_candidate(settings, data, request.substr(kTrain.size())));
}

}  // namespace star
