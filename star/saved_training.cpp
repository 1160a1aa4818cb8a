#include "star/saved_training.h"

#include <cmath>
#include <filesystem>

#include "core/json.h"
#include "core/safetensors.h"
#include "liv/pool_file.h"
#include "star/compiler.h"
#include "star/tokenizer_file.h"

namespace star::synthesis {
namespace {

struct Stopped {};  // while the end is judged

Backbone model_of(const Training& t, Exec* exec) {
  const Pool pool = t.model.pool.empty() ? extended_pool() : parse_pool(t.model.pool, "pool");
  return Backbone(exec, compile(parse(t.model.genome, pool), pool), t.sizes, DType::f32,
                  t.record.options.seed);
}

// Whether a checkpoint is one of this training on its way: what may change while it goes on aside.
bool is_of(const LoadedModel& checkpoint, const TrainingRecord& its, const Training& t) {
  TrainingRecord alike = t.record;
  alike.data_path = its.data_path;
  alike.text_field = its.text_field;
  alike.task = its.task;
  alike.steps = its.steps;
  alike.validation = its.validation;
  alike.options.steps = its.options.steps;
  alike.options.warmup = its.options.warmup;
  alike.options.schedule = its.options.schedule;
  alike.options.decay = its.options.decay;
  return checkpoint.about.genome == t.model.genome && checkpoint.about.pool == t.model.pool &&
         checkpoint.about.tokenizer == t.model.tokenizer &&
         sizes_json(checkpoint.model->sizes()) == sizes_json(t.sizes) &&
         to_text(alike) == to_text(its);
}

}  // namespace

std::string to_text(const Training& t) {
  const nlohmann::ordered_json json = {
      {"genome", t.model.genome},
      {"pool", t.model.pool},
      {"tokenizer", t.model.tokenizer},
      {"config", sizes_json(t.sizes)},
      {"training", nlohmann::ordered_json::parse(to_text(t.record))}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Training training_of(const std::string& text, const std::string& name) {
  const nlohmann::json json = parse_json(text, name);
  Training t;
  try {
    t.model.genome = json.at("genome").get<std::string>();
    t.model.pool = json.at("pool").get<std::string>();
    t.model.tokenizer = json.at("tokenizer").get<std::string>();
    t.sizes = sizes_of(json.at("config"), name);
    t.record = whole_training_record(json.at("training").dump(), name);
  } catch (const nlohmann::json::exception& e) {
    fail("{}: {}", name, e.what());
  }
  try {
    check_sizes(t.sizes);
    model_of(t, nullptr);
    if (!t.model.tokenizer.empty()) parse_tokenizer(t.model.tokenizer, "tokenizer");
  } catch (const Error& e) {
    fail("{}: {}", name, e.what());
  }
  return t;
}

std::string state_beside(const std::string& checkpoint) { return checkpoint + ".state"; }

StoppedTraining stopped_training(const std::string& checkpoint) {
  const std::string path = state_beside(checkpoint);
  std::error_code none;
  require(std::filesystem::exists(path, none),
          "{}: there is no {}, which training goes on from; it is kept where a training is "
          "interrupted, and with --save-every",
          checkpoint, path);
  const SafeTensors file = SafeTensors::open(path);
  const auto text = file.metadata().find("training");
  auto state =
      text == file.metadata().end() ? std::nullopt : load_training_state(path, text->second);
  require(state.has_value(), "{}: damaged, or no state of a training", path);
  StoppedTraining stopped = {training_of(text->second, path), std::move(*state), checkpoint};
  require(stopped.done() <= stopped.training.record.options.steps, "{}: it has {} steps of {}",
          path, stopped.done(), stopped.training.record.options.steps);
  return stopped;
}

TrainOptions rescheduled(const TrainOptions& begun, const TrainOptions& wanted, int64_t done) {
  TrainOptions now = begun;
  now.steps = wanted.steps;
  now.schedule = wanted.schedule;
  now.decay = wanted.decay;
  require(now.steps >= done, "--steps {}: {} are done", now.steps, done);
  const int64_t warmup = rate_plan(begun).warmup;
  require(warmup <= now.steps, "--steps {}: the warm-up takes {}", now.steps, warmup);
  if (now.steps != begun.steps && now.steps > 0) now.warmup = double(warmup) / double(now.steps);
  for (int64_t step = 0; step < done; ++step)
    require(rate_at(now, step) == rate_at(begun, step),
            "under --steps {}, --schedule {}, --decay {} step {}, which is done, would have had "
            "another learning rate; the constant schedule goes on at any time, and wsd before its "
            "decay",
            now.steps, now.schedule, now.decay, step + 1);
  return now;
}

TrainingRun::TrainingRun(Exec& exec, const Dataset& data, Training training, SaveOptions save)
    : exec_(exec),
      data_(data),
      training_(std::move(training)),
      save_(std::move(save)),
      model_(model_of(training_, &exec)) {}

TrainedModel TrainingRun::run(const StoppedTraining* from, const StepCallback& after_step) {
  const bool writes = !save_.path.empty();
  if (from) saved_ = from->done();
  if (from && training_.record.keep_best) take_best(from->checkpoint);
  TrainingState last;
  TrainPart part = {.from = from ? &from->state : nullptr, .state = writes ? &last : nullptr};
  if (writes) part.save_every = save_.every;
  part.save = [&](const TrainingState& state) { save(state); };
  TrainedModel trained;
  trained.training = train(exec_, model_, data_, training_.record.options, after_step, part);
  if (writes && trained.training.failure == "interrupted") save_interrupted(last);
  if (!trained.training.failure.empty()) return trained;
  const bool keeps = writes && (save_.every > 0 || from);
  if (keeps) keep_state(last);
  try {
    finish(trained);
  } catch (const Stopped&) {
    if (writes) save_interrupted(last);
    trained.training.failure = "interrupted";
    return trained;
  }
  std::error_code none;
  if (writes && !keeps && trained.training.failure.empty())
    std::filesystem::remove(state_beside(save_.path), none);
  return trained;
}

// The best so far is the checkpoint, which may have to lie elsewhere from now on, or be of a
// training of other steps.
void TrainingRun::take_best(const std::string& checkpoint) {
  std::error_code none;
  if (!std::filesystem::exists(checkpoint, none)) return;
  const LoadedModel loaded = load_checkpoint(checkpoint, exec_);
  TrainingRecord its;
  try {
    its = whole_training_record(loaded.about.training, checkpoint);
  } catch (const Error&) {
    return;  // of something else, that lay there before
  }
  if (!its.validation || !is_of(loaded, its, training_)) return;
  best_ = its.validation;
  best_step_ = its.steps;
  const std::string text = described(best_step_, best_);
  if (checkpoint != save_.path || text != to_text(its))
    save_checkpoint(save_.path, exec_, *loaded.model, about(text));
}

std::string TrainingRun::described(int64_t step, const std::optional<Judgement>& j) const {
  TrainingRecord record = training_.record;
  record.steps = step;
  record.validation = j;
  return to_text(record);
}

Checkpoint TrainingRun::about(const std::string& record) const {
  Checkpoint checkpoint = training_.model;
  checkpoint.training = record;
  return checkpoint;
}

void TrainingRun::keep_state(const TrainingState& state) {
  Training now = training_;
  now.record.steps = int64_t(state.losses.size());
  save_training_state(state_beside(save_.path), to_text(now), state);
  saved_ = now.record.steps;
}

void TrainingRun::keep_model(int64_t step, const std::optional<Judgement>& judgement) {
  save_checkpoint(save_.path, exec_, model_, about(described(step, judgement)));
}

Judgement TrainingRun::judged(const std::function<bool()>& stop) {
  auto progress = [&](int64_t, int64_t) {
    if (stop && stop()) throw Stopped();
  };
  return judge(exec_, model_, data_, Split::validation,
               {.tokens = training_.record.validation_tokens, .progress = progress});
}

void TrainingRun::save(const TrainingState& state) {
  keep_state(state);
  if (!training_.record.keep_best) return keep_model(saved_, {});
  const Judgement j = judged();
  if (!std::isfinite(j.loss) || (best_ && best_->loss <= j.loss)) return;
  best_ = j;
  best_step_ = saved_;
  keep_model(saved_, j);
}

void TrainingRun::save_interrupted(const TrainingState& state) {
  keep_state(state);
  if (!best_) keep_model(saved_, {});
}

void TrainingRun::finish(TrainedModel& trained) {
  const Judgement j = judged(save_.stop);
  if (!std::isfinite(j.loss)) {
    trained.training.failure = "diverged: the validation loss is none";
    return;
  }
  const bool improves = !best_ || j.loss < best_->loss;
  trained.validation = improves ? j : *best_;
  trained.step = improves ? trained.training.steps : best_step_;
  if (improves && !save_.path.empty()) keep_model(trained.step, j);
}

}  // namespace star::synthesis
