// star train.
#include <cmath>
#include <filesystem>

#include "star/after/check.h"
#include "star/checkpoint.h"
#include "star/data_files.h"
#include "star/settings_table.h"
#include "star/tokenizer_file.h"
#include "star/training_record.h"
#include "star/trial.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/source.h"

namespace star::cli {
namespace {

struct Train {
  Common common;
  DataOptions data;
  ModelOptions model;
  TrainOptions training;
  int64_t validation_tokens = kValidationTokens;
  std::string genome, out;
  CLI::App* app = nullptr;

  void run() {
    record.data_seed = common.seed;
    if (is_path(genome)) take_from_run();
    Pool pool;
    Genome g = model.genome(genome, pool);
    std::unique_ptr<Dataset> dataset = open();
    dataset->check(Split::train);
    dataset->check(Split::validation);
    Sizes sizes = model.for_data(*dataset);
    if (!out.empty()) check_output(out, inputs(*dataset));
    auto exec = common.make_exec();
    training.seed = common.seed;
    const Trial trial = {.genome = to_text(g),
                         .pool = model.pool,
                         .sizes = sizes,
                         .seed = common.seed,
                         .training = training,
                         .validation_tokens = validation_tokens};
    Backbone backbone = model_of(trial, exec.get());
    const Trained trained = train_model(*exec, backbone, *dataset, trial);
    const TrainResult& result = trained.training;
    const Judgement& val = *trained.validation;
    if (!std::isfinite(val.loss)) throw Failure("training diverged: the validation loss is none");
    record.identity = dataset->identity();
    record.options = training;
    record.steps = result.steps;
    record.validation = val;
    if (!out.empty()) {
      Checkpoint about = checkpoint_of(g, pool, to_text(record));
      if (data.tokenizer) about.tokenizer = tokenizer_text(*data.tokenizer);
      save_checkpoint(out, *exec, backbone, about);
    }
    const std::string text = to_text(canonical(g, pool));
    common.json ? print_document(text, backbone, result, val)
                : print_text(text, *dataset, backbone, result, val);
  }

 private:
  TrainingRecord record;
  std::string run_path;     // that the genome is from
  int64_t run_length = 0;   // of its sequences
  std::string of_run = {};  // what the data has to be, where it is the run's

  bool given(const char* option) const { return app->get_option(option)->count() > 0; }

  std::unique_ptr<Dataset> open() {
    auto dataset = data.open(model.length, run_length, record.data_seed);
    require(of_run.empty() || dataset->identity() == of_run,
            "the data is no longer what the search began with ({}, then {}); --data or --task says "
            "what to train on",
            dataset->identity(), of_run);
    record.data_path = place_from_root(data.path);
    record.text_field = data.text_field;
    record.task = data.task;
    return dataset;
  }

  std::vector<std::string> inputs(const Dataset& dataset) const {
    std::vector<std::string> paths = dataset.files();
    paths.push_back(run_path);
    paths.push_back(data.tokenizer_path);
    paths.push_back(model.pool_path);
    paths.push_back(config_file(*app));
    return paths;
  }

  // A run file stands for the best that it has found, in the model, on the data and by the recipe
  // of the search, but for the steps and what is given.
  void take_from_run() {
    const CheckedRun run = open_run_file(genome);
    const SearchSettings& s = run.settings;
    run_path = genome;
    genome = best_of_run(run, run_path);
    auto take = [&](const char* option, auto& field, const auto& value) {
      if (!given(option)) field = value;
    };
    take("--pool", model.pool, s.pool);
    for_each_size([&](const Setting& row, const auto& field) {
      if (*row.help) take(row.option, field(model.sizes), field(s.sizes));
    });
    take("--device", common.device, s.device);
    take("--seed", common.seed, s.seed);
    for_each_training_setting([&](const Setting& row, const auto& field) {
      if (*row.help && std::string(row.option) != "--steps")
        take(row.option, field(training), field(s.training));
    });
    if (s.validation_tokens != kUnknownSample)
      take("--validation-tokens", validation_tokens, s.validation_tokens);
    run_length = s.sizes.seq;
    record.data_seed = data.given() ? common.seed : s.seed;
    if (data.given()) return;
    const DataOptions asked = data;
    data = DataOptions::of(s);
    if (given("--vocab")) data.vocab = asked.vocab;
    if (given("--text-field")) data.text_field = asked.text_field;
    if (given("--tokenizer")) data.tokenizer_path = asked.tokenizer_path;
    if (!given("--seq")) of_run = s.data_identity;
  }

  Trained train_model(Exec& exec, Backbone& backbone, const Dataset& dataset,
                      const Trial& trial) const {
    Progress progress(common.quiet, "step", training.steps);
    Trained trained =
        train_and_judge(exec, backbone, dataset, trial, [&](int64_t step, double loss) {
          progress.update(step, fmt::format("loss {:.4f}", loss));
          return !interrupted();
        });
    progress.finish();
    const TrainResult& result = trained.training;
    if (result.failure == "interrupted")
      throw Interrupted(fmt::format("interrupted at step {}; nothing was written", result.steps));
    if (!result.failure.empty()) throw Failure("training " + result.failure);
    return trained;
  }

  static double rate_of(const TrainResult& result) {
    return double(result.tokens) / std::max(result.seconds, 1e-9);
  }

  void print_document(const std::string& text, const Backbone& backbone, const TrainResult& result,
                      const Judgement& val) const {
    nlohmann::json j = {{"genome", text},
                        {"params", backbone.parameter_count()},
                        {"steps", result.steps},
                        {"train_loss", result.train_loss},
                        {"train_standard_error", result.train_standard_error},
                        {"train_tokens", result.train_targets},
                        {"tokens_per_s", rate_of(result)}};
    const nlohmann::json validation = judgement_json(val);
    for (auto& [name, value] : validation.items()) j["val_" + name] = value;
    if (!out.empty()) j["checkpoint"] = out;
    print_json(j);
  }

  void print_text(const std::string& text, const Dataset& dataset, const Backbone& backbone,
                  const TrainResult& result, const Judgement& val) const {
    fmt::print("genome      {}\nparameters  {}\nsteps       {}  ({:.0f} tokens/s)\n", text,
               backbone.parameter_count(), result.steps, rate_of(result));
    if (result.steps > 0)
      fmt::print("training    {}, over {} targets\n",
                 loss_text(result.train_loss, result.train_standard_error, dataset),
                 result.train_targets);
    fmt::print("validation  {}, accuracy {:.4f}, over {} targets\n", loss_text(val, dataset),
               val.accuracy, val.targets);
    if (!out.empty()) fmt::print("written     {}\n", out);
  }
};

}  // namespace

void declare_train(CLI::App& app) {
  auto c = std::make_shared<Train>();
  CLI::App* sub = app.add_subcommand("train", "Trains one genome");
  c->app = sub;
  sub->add_option(
         "genome", c->genome,
         "A genome, a name such as @hybrid:8, or a run file: the best that it has found, with the "
         "sizes, the data, the recipe and the seed of the search, but for --steps")
      ->required();
  sub->add_option("--out", c->out, "Where the checkpoint goes (safetensors)");
  c->data.declare(*sub);
  c->model.declare(*sub);
  declare_training(*sub, c->training);
  declare_validation(*sub, c->validation_tokens);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
