// star train.
#include <cmath>

#include "star/after/check.h"
#include "star/data_files.h"
#include "star/saved_training.h"
#include "star/settings_table.h"
#include "star/tokenizer_file.h"
#include "star/training_log.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/options.h"
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
  int64_t save_every = 0;
  bool keep_best = false;
  std::string genome, out, resume, log_path;
  std::string program;  // as it was called
  CLI::App* app = nullptr;

  void run() { resume.empty() ? begin() : go_on(); }

 private:
  std::string run_path;     // that the genome is from
  int64_t run_length = 0;   // of its sequences
  std::string of_run = {};  // what the data has to be, where it is the run's
  uint64_t data_seed = 0;

  bool given(const char* option) const { return app->get_option(option)->count() > 0; }

  void begin() {
    require(!genome.empty(), "train: give a genome, a name, a run file, or --resume CHECKPOINT");
    require(save_every == 0 || !out.empty(), "--save-every: --out says where");
    require(!keep_best || save_every > 0,
            "--keep-best: what is saved is judged, and --save-every says when");
    data_seed = common.seed;
    if (is_path(genome)) take_from_run();
    Pool pool;
    const Genome g = model.genome(genome, pool);
    const std::unique_ptr<Dataset> dataset = data.open(model.length, run_length, data_seed);
    require(of_run.empty() || dataset->identity() == of_run,
            "the data is no longer what the search began with ({}, then {}); --data or --task says "
            "what to train on",
            dataset->identity(), of_run);
    check_training(*app, training);
    training.seed = common.seed;
    Training what = {checkpoint_of(g, pool), model.for_data(*dataset), {}};
    if (data.tokenizer) what.model.tokenizer = tokenizer_text(*data.tokenizer);
    TrainingRecord& record = what.record;
    take_place(record);
    record.identity = dataset->identity();
    record.data_seed = data_seed;
    record.options = training;
    record.validation_tokens = validation_tokens;
    record.keep_best = keep_best ? save_every : 0;
    record.device = common.device;
    record.kernels = cpu_kernels();
    work(std::move(what), *dataset, nullptr, to_text(canonical(g, pool)));
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
    data_seed = data.given() ? common.seed : s.seed;
    if (data.given()) return;
    const DataOptions asked = data;
    data = DataOptions::of(s);
    if (given("--vocab")) data.vocab = asked.vocab;
    if (given("--text-field")) data.text_field = asked.text_field;
    if (given("--tokenizer")) data.tokenizer_path = asked.tokenizer_path;
    // What a task generates has another length then.
    const bool generated = s.data_path.empty() && s.task != "source";
    if (!given("--seq") || !generated) of_run = s.data_identity;
  }

  // What was stopped goes on under what it was begun with, but for its schedule and the place of
  // its data and of its files.
  void go_on() {
    const StoppedTraining then = stopped_training(resume);
    require_same(then.training);
    Training what = then.training;
    TrainingRecord& record = what.record;
    record.options = rescheduled(record.options, wanted_schedule(record.options), then.done());
    check_training(*app, record.options);
    const std::string place = data.given() ? words("--data", "--task") : resume;
    data_of(what);
    const std::unique_ptr<Dataset> dataset = data.open(0, what.sizes.seq, record.data_seed);
    take_place(record);
    require(dataset->identity() == record.identity,
            "{}: the data is no longer what the training began with ({}, then {})", place,
            dataset->identity(), record.identity);
    const CpuKernels here = cpu_kernels();
    if (here != record.kernels)
      say("star: warning: the training began with {} and OpenBLAS {}, here they are {} and {}: "
          "losses will differ in their last digits\n",
          record.kernels.target, record.kernels.blas, here.target, here.blas);
    common.device = record.device;
    if (out.empty()) out = resume;
    if (record.keep_best) save_every = record.keep_best;
    work(std::move(what), *dataset, &then, then.training.model.genome);
  }

  // Where the data lies, for whoever goes on.
  void take_place(TrainingRecord& record) const {
    record.data_path = place_from_root(data.path);
    record.text_field = data.text_field;
    record.task = data.task;
  }

  // What the command line leaves open of the data is as the training has it.
  void data_of(const Training& then) {
    const TrainingRecord& record = then.record;
    data.text_field = record.text_field;
    if (!data.given()) {
      require(record.data_path != kStandardInput,
              "{}: it was trained on standard input: give --data PATH or --data -", resume);
      data.path = record.data_path;
      data.task = record.task;
    }
    data.vocab = data.path.empty() ? 0 : then.sizes.vocab;
    if (data.path.empty()) return;
    const std::string& text = then.model.tokenizer;
    require(data.tokenizer_path.empty() ||
                (!text.empty() && tokenizer_text(*read_tokenizer(data.tokenizer_path)) == text),
            "--tokenizer {}: {} was begun with another, and goes on with its own",
            data.tokenizer_path, resume);
    data.tokenizer_path.clear();
    if (!text.empty())
      data.tokenizer = std::make_shared<const Tokenizer>(parse_tokenizer(text, resume));
  }

  TrainOptions wanted_schedule(const TrainOptions& begun) const {
    TrainOptions wanted = begun;
    if (given("--steps")) wanted.steps = training.steps;
    if (given("--schedule")) wanted.schedule = training.schedule;
    if (given("--decay")) wanted.decay = training.decay;
    return wanted;
  }

  // That of two options which was given, with its value.
  std::string words(const char* one, const char* other) const {
    const CLI::Option* option = app->get_option(given(one) ? one : other);
    return fmt::format("{} {}", option->get_name(), option->results().back());
  }

  // Error: an option beside --resume that says something else than the training.
  void require_same(const Training& then) const {
    const TrainingRecord& record = then.record;
    auto same = [&](const char* option, const auto& asked, const auto& kept) {
      require(!given(option) || asked == kept,
              "{} {}: {} was begun with {}, and goes on under its own settings", option, asked,
              resume, kept);
    };
    require(genome.empty(), "{}: with --resume the genome is that of {}", genome, resume);
    for (const char* option : {"--pool", "--depth"})
      require(!given(option), "{} cannot be given with --resume", option);
    for_each_size([&](const Setting& row, const auto& field) {
      if (*row.help) same(row.option, field(model.sizes), field(then.sizes));
    });
    same("--seq", model.length, then.sizes.seq);
    same("--vocab", data.vocab, then.sizes.vocab);
    same("--text-field", data.text_field, record.text_field);
    for_each_training_setting([&](const Setting& row, const auto& field) {
      const std::string option = row.option;
      if (*row.help && option != "--steps" && option != "--schedule" && option != "--decay")
        same(row.option, field(training), field(record.options));
    });
    same("--seed", common.seed, record.options.seed);
    same("--device", common.device, record.device);
    same("--validation-tokens", validation_tokens, record.validation_tokens);
    require(!keep_best || record.keep_best, "--keep-best: {} was begun without it", resume);
    if (record.keep_best) same("--save-every", save_every, record.keep_best);
  }

  void work(Training what, const Dataset& dataset, const StoppedTraining* from,
            const std::string& shown) {
    dataset.check(Split::train);
    dataset.check(Split::validation);
    check_outputs(dataset, what.record.data_path);
    auto exec = common.make_exec();
    const TrainOptions& options = what.record.options;
    require(options.accumulate <= options.batch, "--accumulate {}: a batch has {} sequences",
            options.accumulate, options.batch);
    TrainingRun training_run(*exec, dataset, std::move(what), {out, save_every, interrupted});
    interrupted();  // from here on a signal is an orderly end
    std::optional<TrainingLog> log;
    if (!log_path.empty()) log.emplace(log_path, from ? from->done() : 0);
    const TrainedModel trained = train(training_run, from, log ? &*log : nullptr);
    common.json ? print_document(shown, training_run.model(), trained)
                : print_text(shown, dataset, training_run.model(), trained);
    if (log && !log->failure().empty()) throw Failure(log->failure());
  }

  void check_outputs(const Dataset& dataset, const std::string& data_path) const {
    std::vector<std::string> taken = dataset.files();
    const std::string list = data.path.starts_with('@') ? data.path.substr(1) : "";
    for (auto& path : {run_path, list, data.tokenizer_path, model.pool_path, config_file(*app)})
      taken.push_back(path);
    const bool elsewhere = !resume.empty() && out != resume;
    if (elsewhere) taken.push_back(state_beside(resume));
    auto check = [&](const std::string& path) {
      check_output(path, taken);
      taken.push_back(path);
    };
    if (!out.empty()) {
      check(out);
      check(state_beside(out));
    }
    if (elsewhere) taken.push_back(resume);
    if (log_path.empty()) return;
    check(log_path);
    // Text that would be read the next time, and was not there the first.
    const bool read = !data_path.empty() && data_path != kStandardInput;
    require(!read || !would_be_found(data_path, log_path),
            "{}: it would lie in the data, and be read the next time", log_path);
  }

  TrainedModel train(TrainingRun& training_run, const StoppedTraining* from,
                     TrainingLog* log) const {
    Progress progress(common.quiet, "step", training_run.training().record.options.steps);
    auto after_step = [&](const StepReport& step) {
      if (log) log->add(step);
      progress.update(step.number, fmt::format("loss {:.4f}", step.loss));
      return !interrupted();
    };
    TrainedModel trained;
    try {
      trained = training_run.run(from, after_step);
    } catch (const WriteError& e) {
      if (training_run.saved() == 0) throw;
      throw Failure(fmt::format("{}; step {} is saved, go on with: {}", e.what(),
                                training_run.saved(), onward()));
    }
    progress.finish();
    const TrainResult& result = trained.training;
    if (result.failure == "interrupted")
      throw Interrupted(
          fmt::format("interrupted at step {}; {}", result.steps,
                      out.empty() ? "nothing was written" : "go on with: " + onward()));
    if (!result.failure.empty()) throw Failure("training " + result.failure);
    return trained;
  }

  std::string onward() const {
    std::string command = fmt::format("{} train --resume {}", shell_word(program), shell_path(out));
    if (save_every > 0) command += fmt::format(" --save-every {}", save_every);
    if (!log_path.empty()) command += " --log " + shell_path(log_path);
    return command;
  }

  static double rate_of(const TrainResult& result) {
    return double(result.tokens) / std::max(result.seconds, 1e-9);
  }

  void print_document(const std::string& text, const Backbone& backbone,
                      const TrainedModel& trained) const {
    const TrainResult& result = trained.training;
    nlohmann::json j = {{"genome", text},
                        {"params", backbone.parameter_count()},
                        {"steps", result.steps},
                        {"train_loss", result.train_loss},
                        {"train_standard_error", result.train_standard_error},
                        {"train_tokens", result.train_targets},
                        {"tokens_per_s", rate_of(result)}};
    const nlohmann::json validation = judgement_json(*trained.validation);
    for (auto& [name, value] : validation.items()) j["val_" + name] = value;
    j["val_step"] = trained.step;
    if (!out.empty()) j["checkpoint"] = out;
    print_json(j);
  }

  void print_text(const std::string& text, const Dataset& dataset, const Backbone& backbone,
                  const TrainedModel& trained) const {
    const TrainResult& result = trained.training;
    const Judgement& val = *trained.validation;
    fmt::print("genome      {}\nparameters  {}\nsteps       {}  ({:.0f} tokens/s)\n", text,
               backbone.parameter_count(), result.steps, rate_of(result));
    if (result.steps > 0)
      fmt::print("training    {}, over {} targets\n",
                 loss_text(result.train_loss, result.train_standard_error, dataset),
                 result.train_targets);
    fmt::print("validation  {}, accuracy {:.4f}, over {} targets{}\n", loss_text(val, dataset),
               val.accuracy, val.targets,
               trained.step == result.steps ? "" : fmt::format(", at step {}", trained.step));
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
      "sizes, the data, the recipe and the seed of the search, but for --steps");
  sub->add_option("--out", c->out,
                  "Where the checkpoint goes (safetensors), and beside it, as FILE.state, what a "
                  "training that is interrupted or saved on its way goes on from");
  sub->add_option("--resume", c->resume,
                  "Goes on with a checkpoint that has its state beside it, to the same end as if "
                  "it had not been stopped. --steps, --schedule and --decay may be others as long "
                  "as the steps that are done would have had the same learning rate, and the data "
                  "may lie elsewhere (--data); --out, --save-every, --log and --threads are free, "
                  "and what says otherwise in another option is refused");
  add_whole(*sub, "--save-every", c->save_every, 0, int64_t(1) << 40,
            "Steps after which the checkpoint and its state are written, each time, and at the "
            "end; 0: only when the training is interrupted")
      ->capture_default_str();
  sub->add_flag("--keep-best", c->keep_best,
                "Judges what --save-every saves, and the end, by the validation part: the "
                "checkpoint is that with the least loss, the state always the latest");
  sub->add_option("--log", c->log_path,
                  "Where a line of JSON goes for every step: step, loss, rate, norm, tokens_per_s");
  c->data.declare(*sub);
  c->model.declare(*sub);
  c->model.declare_depth(*sub);
  declare_training(*sub, c->training);
  declare_validation(*sub, c->validation_tokens);
  c->common.declare(*sub);
  sub->callback([c, root = &app] {
    c->program = root->get_name();
    c->run();
  });
}

}  // namespace star::cli
