#include "star/trial.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/blas_memory.h"
#include "star/compiler.h"
#include "star/device.h"

namespace star {
namespace {

double number(const nlohmann::json& json) {
  return json.is_null() ? std::nan("") : json.get<double>();
}

// Judges on a split; a loss that is not finite is a failure.
void add_judgement(Evaluation& e, Exec& exec, const Backbone& model, const Dataset& data,
                   Split split, int64_t tokens) {
  const bool test = split == Split::test;
  Judgement j = judge(exec, model, data, split, {.tokens = tokens});
  if (!std::isfinite(j.loss)) {
    e.failure = test ? "test loss is not finite" : "validation loss is not finite";
    return;
  }
  const std::string prefix = test ? "test_" : "";
  e.metrics[prefix + "quality"] = j.loss;
  e.metrics[prefix + "targets"] = double(j.targets);
  e.metrics[prefix + "standard_error"] = j.standard_error;
  if (data.tokens_are_bytes()) e.metrics[prefix + "bpb"] = j.loss / std::log(2.0);
  e.metrics[prefix + "perplexity"] = std::exp(j.loss);
  e.metrics[prefix + "accuracy"] = j.accuracy;
  e.metrics[prefix + "macro_accuracy"] = j.macro_accuracy;
}

}  // namespace

Trial candidate_trial(const SearchSettings& s, const std::string& genome) {
  return {.genome = genome,
          .recipe = "search",
          .pool = s.pool,
          .sizes = s.sizes,
          .seed = s.seed,
          .training = s.training,
          .validation_tokens = s.validation_tokens,
          .cache_context = s.cache_context,
          .device = s.device};
}

std::string recipe_of(const Trial& t) {
  const char* repetition = t.stretch && t.repeat > 1 ? "stretch" : "repeat";
  return fmt::format("width={},heads={},{}={},steps={},batch={},lr={},seed={}", t.sizes.width,
                     t.sizes.heads, repetition, t.repeat, t.training.steps, t.training.batch,
                     t.training.learning_rate, t.seed);
}

Backbone model_of(const Trial& trial, Exec* exec) {
  Pool pool = named_pool(trial.pool);
  auto blocks = compile(parse(trial.genome, pool), pool);
  blocks = trial.stretch ? stretched(blocks, trial.repeat) : repeated(blocks, trial.repeat);
  return Backbone(exec, std::move(blocks), trial.sizes, DType::f32, trial.seed);
}

Evaluation evaluate(const Trial& trial, const Dataset& data) {
  Evaluation e;
  e.genome = trial.genome;
  e.recipe = trial.recipe;
  Exec exec(backend_named(trial.device), 1);
  Backbone model = model_of(trial, &exec);
  e.metrics = static_metrics(model, trial.cache_context);
  TrainResult trained = train(exec, model, data, trial.training);
  e.curve = trained.curve;
  e.failure = trained.failure;
  if (!e.ok()) return e;
  e.metrics["train_loss"] = trained.train_loss;
  e.metrics["train_targets"] = double(trained.train_targets);
  e.metrics["train_standard_error"] = trained.train_standard_error;
  add_judgement(e, exec, model, data, Split::validation, trial.validation_tokens);
  if (e.ok() && trial.test) add_judgement(e, exec, model, data, Split::test, 0);
  return e;
}

double cost_of(const Trial& trial) {
  try {
    return model_of(trial, nullptr).training_flops() * double(trial.training.steps);
  } catch (const Error&) {
    return 0;
  }
}

// Doubles survive the way through JSON; those that are not finite become null and come back as NaN.
std::string to_text(const Evaluation& e) {
  nlohmann::json curve = nlohmann::json::array();
  for (auto& p : e.curve) curve.push_back({p.step, p.loss});
  return nlohmann::json{{"failure", e.failure}, {"metrics", e.metrics}, {"curve", curve}}.dump();
}

Evaluation evaluation_of(const Outcome& outcome) {
  Evaluation e;
  e.failure = outcome.failure;
  e.seconds = outcome.seconds;
  if (!outcome.ok()) return e;
  auto json = nlohmann::json::parse(outcome.result);
  e.failure = json.at("failure").get<std::string>();
  for (auto& [name, value] : json.at("metrics").items()) e.metrics[name] = number(value);
  for (auto& p : json.at("curve")) e.curve.push_back({p.at(0).get<int64_t>(), number(p.at(1))});
  return e;
}

void prepare_blas() { reserve_blas_memory(1); }

std::optional<std::vector<Evaluation>> run_trials(
    RunFile& file, const std::vector<Trial>& trials,
    const std::function<Evaluation(const Trial&)>& work, const TrialOptions& options) {
  using Key = std::pair<std::string, std::string>;  // genome and recipe: one may be asked for twice
  std::map<Key, std::optional<Evaluation>> known;
  std::vector<const Trial*> jobs;
  std::vector<double> costs;
  for (const Trial& trial : trials) {
    auto [it, is_new] = known.try_emplace({trial.genome, trial.recipe});
    if (!is_new) continue;
    it->second = file.evaluation(trial.genome, trial.recipe);
    if (it->second && (it->second->ok() || !options.retry)) continue;
    jobs.push_back(&trial);
    costs.push_back(cost_of(trial));
  }
  int64_t ended = int64_t(known.size() - jobs.size());
  auto report = [&] {
    if (options.progress) options.progress(ended, int64_t(known.size()));
  };
  auto done = [&](int job, const Outcome& outcome) {
    Evaluation e = evaluation_of(outcome);
    e.genome = jobs[size_t(job)]->genome;
    e.recipe = jobs[size_t(job)]->recipe;
    file.record(e);
    known[{e.genome, e.recipe}] = std::move(e);
    ++ended;
    report();
  };
  report();
  if (!jobs.empty()) prepare_blas();
  bool all = run_jobs(
      costs, options.workers, options.limits,
      [&](int job) { return to_text(work(*jobs[size_t(job)])); }, done, options.interrupted);
  if (!all) return std::nullopt;
  std::vector<Evaluation> evaluations;
  for (const Trial& trial : trials) evaluations.push_back(*known[{trial.genome, trial.recipe}]);
  return evaluations;
}

}  // namespace star
