#include "star/trial.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/blas_memory.h"
#include "core/number.h"
#include "core/rng.h"
#include "liv/pool_file.h"
#include "star/checkpoint.h"
#include "star/compiler.h"
#include "star/device.h"

namespace star::synthesis {
namespace {

double number(const nlohmann::json& json) {
  return json.is_null() ? std::nan("") : json.get<double>();
}

// A loss that is not finite is a failure.
void add_judgement(Evaluation& e, const Judgement& j, bool test) {
  if (!std::isfinite(j.loss)) {
    e.failure = test ? "test loss is not finite" : "validation loss is not finite";
    return;
  }
  const std::string prefix = test ? "test_" : "";
  e.metrics[prefix + "quality"] = j.loss;
  e.metrics[prefix + "targets"] = double(j.targets);
  e.metrics[prefix + "standard_error"] = j.standard_error;
  if (j.bytes > 0) e.metrics[prefix + "bpb"] = bits_a_byte(j);
  e.metrics[prefix + "perplexity"] = std::exp(j.loss);
  e.metrics[prefix + "accuracy"] = j.accuracy;
  e.metrics[prefix + "macro_accuracy"] = j.macro_accuracy;
}

// All that the bits of a training depend on, up to its stop.
std::string training_of(const Exec& exec, const Trial& t, const Dataset& data, int64_t steps) {
  const CpuKernels kernels = cpu_kernels();
  return nlohmann::json({t.genome, t.pool, t.repeat, t.seed, sizes_json(t.sizes),
                         training_to_json(t.training), data.identity(), exec.backend().target,
                         kernels.target, kernels.blas, steps})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The last rung on the way to the trial's stop; 0: none.
int64_t rung_before(const Trial& trial) {
  int64_t before = 0;
  for (int64_t rung : trial.rungs)
    if (trial.until == 0 || rung < trial.until) before = rung;
  return before;
}

// Trains until the trial's stop, from where an earlier part stopped if that was kept.
TrainResult train_part(Exec& exec, Backbone& model, const Dataset& data, const Trial& trial,
                       const StepCallback& after_step) {
  std::optional<TrainingState> before;
  if (!trial.from.empty())
    before = load_training_state(trial.from, training_of(exec, trial, data, rung_before(trial)));
  TrainingState state;
  const bool keep = trial.until > 0 && !trial.to.empty();
  TrainResult trained = train(exec, model, data, trial.training, after_step,
                              {.until = trial.until,
                               .from = before ? &*before : nullptr,
                               .state = keep ? &state : nullptr});
  if (!keep || !trained.failure.empty()) return trained;
  try {
    save_training_state(trial.to, training_of(exec, trial, data, trial.until), state);
  } catch (const std::exception&) {
    // No folder, no disk, no memory: then it is trained from the start again.
  }
  return trained;
}

}  // namespace

std::string rung_metric(int64_t step) { return fmt::format("rung:{}", step); }

std::string state_file(const std::string& states, const std::string& genome, int64_t rung) {
  const uint64_t name = hash_text(Recipe::at_rung(rung).text() + " " + genome);
  return fmt::format("{}/{:0{}x}{}", states, name, kStateName, kStateSuffix);
}

Trial candidate_trial(const SearchSettings& s, const std::string& genome, const Recipe& recipe,
                      const std::string& states) {
  require(recipe.is_whole() || recipe.number(), "search: the recipe `{}` is none of its own",
          recipe);
  Trial trial = {.genome = genome,
                 .recipe = recipe,
                 .pool = s.pool,
                 .sizes = s.sizes,
                 .seed = s.seed,
                 .training = s.training,
                 .validation_tokens = s.validation_tokens,
                 .cache_context = s.cache_context,
                 .device = s.device};
  if (recipe.is_of_another_seed()) {
    const uint64_t further = uint64_t(*recipe.number());
    trial.seed += further;
    trial.training.seed += further;
    return trial;
  }
  trial.rungs = s.rungs;
  if (recipe.stops_at_rung()) trial.until = *recipe.number();
  if (states.empty()) return trial;
  if (int64_t before = rung_before(trial)) trial.from = state_file(states, genome, before);
  if (trial.until > 0) trial.to = state_file(states, genome, trial.until);
  return trial;
}

Recipe recipe_of(const Trial& t) {
  const char* repetition = t.stretch && t.repeat > 1 ? "stretch" : "repeat";
  return fmt::format("width={},heads={},{}={},steps={},batch={},lr={},seed={}", t.sizes.width,
                     t.sizes.heads, repetition, t.repeat, t.training.steps, t.training.batch,
                     t.training.learning_rate, t.seed);
}

Recipe recipe_of(const std::vector<Objective>& measured, int64_t context) {
  return fmt::format("measured={},context={}", fmt::join(measured, "+"), context);
}

Backbone model_of(const Trial& trial, Exec* exec) {
  Pool pool = named_pool(trial.pool);
  auto blocks = compile(parse(trial.genome, pool), pool);
  blocks = trial.stretch ? stretched(blocks, trial.repeat) : repeated(blocks, trial.repeat);
  return Backbone(exec, std::move(blocks), trial.sizes, DType::f32, trial.seed);
}

Trained train_and_judge(Exec& exec, Backbone& model, const Dataset& data, const Trial& trial,
                        const StepCallback& after_step) {
  Trained trained{train_part(exec, model, data, trial, after_step), {}};
  if (trained.training.failure.empty() && trial.until == 0)
    trained.validation =
        judge(exec, model, data, Split::validation, {.tokens = trial.validation_tokens});
  return trained;
}

Evaluation evaluate(const Trial& trial, const Dataset& data) {
  Evaluation e;
  e.genome = trial.genome;
  e.recipe = trial.recipe;
  Exec exec(backend_named(trial.device), 1);
  Backbone model = model_of(trial, &exec);
  e.metrics = static_metrics(model, trial.cache_context);
  const auto [trained, validation] = train_and_judge(exec, model, data, trial);
  e.curve = trained.curve;
  e.failure = trained.failure;
  if (!e.ok()) return e;
  for (int64_t rung : trial.rungs)
    if (rung <= trained.steps) e.metrics[rung_metric(rung)] = loss_at(trained, rung);
  if (!validation) return e;
  e.metrics["train_loss"] = trained.train_loss;
  e.metrics["train_targets"] = double(trained.train_targets);
  e.metrics["train_standard_error"] = trained.train_standard_error;
  add_judgement(e, *validation, false);
  if (e.ok() && trial.test) add_judgement(e, judge(exec, model, data, Split::test), true);
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
  using Key = std::pair<std::string, Recipe>;  // one may be asked for twice
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
  const bool on_device = !jobs.empty() && is_cuda(jobs[0]->device);
  bool all = run_jobs(
      costs, options.workers, options.limits,
      [&](int job) { return to_text(work(*jobs[size_t(job)])); }, done, options.interrupted,
      on_device ? options.workers : 0);
  if (!all) return std::nullopt;
  std::vector<Evaluation> evaluations;
  for (const Trial& trial : trials) evaluations.push_back(*known[{trial.genome, trial.recipe}]);
  return evaluations;
}

}  // namespace star::synthesis
