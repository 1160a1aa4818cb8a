#include "star/candidate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/contraction.h"
#include "star/compiler.h"
#include "star/measurement.h"

namespace star {
namespace {

constexpr std::string_view kTrain = "train ", kMeasure = "measure ";

Backbone build(Exec& exec, const SearchSettings& settings, const std::string& genome) {
  Pool pool = named_pool(settings.pool);
  return Backbone(&exec, compile(parse(genome, pool), pool), settings.sizes, DType::f32,
                  settings.seed);
}

// Doubles survive the way through JSON; NaN becomes null and comes back.
double number(const nlohmann::json& json) {
  return json.is_null() ? std::nan("") : json.get<double>();
}

Metrics metrics_of(const nlohmann::json& json) {
  Metrics metrics;
  for (auto& [name, value] : json.items()) metrics[name] = number(value);
  return metrics;
}

}  // namespace

void prepare_blas() {
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  Var x = tape.constant(exec.full({512, 512}, DType::f32, 1));
  contract("ab,bc->ac", {x, x});
}

Evaluation evaluate_candidate(const SearchSettings& settings, const Dataset& data,
                              const std::string& genome) {
  Evaluation e;
  e.genome = genome;
  Exec exec(cpu_backend(), 1);
  Backbone model = build(exec, settings, genome);
  e.metrics = static_metrics(model, settings.cache_context);
  TrainResult trained = train(exec, model, data, settings.training);
  e.curve = trained.curve;
  e.failure = trained.failure;
  if (!e.ok()) return e;
  Judgement j = judge(exec, model, data, Split::validation, settings.training.batch);
  if (!std::isfinite(j.loss)) {
    e.failure = "validation loss is not finite";
    return e;
  }
  e.metrics["quality"] = j.loss;
  e.metrics["bpb"] = j.loss / std::log(2.0);
  e.metrics["perplexity"] = std::exp(j.loss);
  e.metrics["accuracy"] = j.accuracy;
  e.metrics["macro_accuracy"] = j.macro_accuracy;
  e.metrics["train_loss"] = trained.train_loss;
  return e;
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
  Exec exec(cpu_backend(), 1);
  int64_t before = resident_bytes();
  Backbone model = build(exec, settings, genome);
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
  if (request.starts_with(kMeasure))
    return nlohmann::json(measure_candidate(settings, request.substr(kMeasure.size()))).dump();
  require(request.starts_with(kTrain), "search: a worker is asked `{}`", request);
  Evaluation e = evaluate_candidate(settings, data, request.substr(kTrain.size()));
  nlohmann::json curve = nlohmann::json::array();
  for (auto& p : e.curve) curve.push_back({p.step, p.loss});
  return nlohmann::json{{"failure", e.failure}, {"metrics", e.metrics}, {"curve", curve}}.dump();
}

Evaluation training_answer(const std::string& text) {
  auto json = nlohmann::json::parse(text);
  Evaluation e;
  e.failure = json.at("failure").get<std::string>();
  e.metrics = metrics_of(json.at("metrics"));
  for (auto& p : json.at("curve")) e.curve.push_back({p.at(0).get<int64_t>(), number(p.at(1))});
  return e;
}

Metrics measuring_answer(const std::string& text) {
  return metrics_of(nlohmann::json::parse(text));
}

}  // namespace star
