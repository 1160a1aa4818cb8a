// star eval: the loss of a checkpoint on a whole split, at any length.
#include <cmath>
#include <optional>

#include "core/clock.h"
#include "star/checkpoint.h"
#include "star/data_files.h"
#include "star/tasks.h"
#include "star/training_record.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/tokenizer_option.h"
#include "tools/weights_option.h"

namespace star::cli {
namespace {

const std::map<std::string, Split> kSplits = {
    {"train", Split::train}, {"validation", Split::validation}, {"test", Split::test}};

// A generated task at another length; text has none of its own.
std::string task_of_length(const std::string& task, int64_t length) {
  if (task.empty() || task == "source") return task;
  TaskOptions options = parse_task(task);
  options.length = int(length);
  return task_text(options);
}

struct Eval {
  Common common;
  DataOptions data;
  WeightsOption weights;
  std::string checkpoint, split = "validation";
  int64_t length = 0;
  int batch = 0;
  CLI::Option* seed_option = nullptr;

  void run() {
    auto exec = common.make_exec();
    LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    weights.apply(*exec, *loaded.model);
    std::unique_ptr<Dataset> dataset = open_data(loaded);
    const Split which = kSplits.at(split);
    dataset->check(which);
    std::optional<Progress> bar;  // of what takes its time
    const double begin = seconds_now();
    JudgeOptions options{.batch = batch};
    options.progress = [&](int64_t done, int64_t total) {
      if (interrupted()) throw Interrupted("interrupted: nothing is known yet");
      if (!bar && seconds_now() - begin > 1) bar.emplace(common.quiet, "sequence", total);
      if (bar) bar->update(done, checkpoint);
    };
    std::vector<Judgement> parts;
    const Judgement j = judge(*exec, *loaded.model, *dataset, which, options, &parts);
    bar.reset();
    if (!std::isfinite(j.loss)) throw Failure(checkpoint + ": the loss is not a number");
    common.json ? print_document(loaded, *dataset, j, parts) : print_text(*dataset, j, parts);
  }

 private:
  // What the command line leaves open is as in the training.
  std::unique_ptr<Dataset> open_data(const LoadedModel& loaded) {
    const TrainingRecord record = training_record(loaded.about.training);
    if (!data.given()) {
      require(!record.data_path.empty() || !record.task.empty(),
              "{}: it does not say what it was trained on: give --data PATH or --task NAME",
              checkpoint);
      require(record.data_path != kStandardInput,
              "{}: it was trained on standard input: give --data PATH or --data -", checkpoint);
      data.path = record.data_path;
      if (data.text_field.empty()) data.text_field = record.text_field;
      data.task = length > 0 ? task_of_length(record.task, length) : record.task;
    }
    if (!data.path.empty() && data.vocab == 0) data.vocab = loaded.model->sizes().vocab;
    if (!data.path.empty()) {
      data.tokenizer = tokenizer_for(loaded, checkpoint, data.tokenizer_path);
      data.tokenizer_path.clear();
    }
    const uint64_t seed = seed_option->count() > 0 ? common.seed : record.data_seed;
    auto dataset = data.open(length, loaded.model->sizes().seq, seed);
    require(seed_option->count() == 0 || dataset->is_generated(),
            "--seed: text has none; it is of a generated task");
    const bool changed = !dataset->is_generated() && dataset->identity() != record.identity &&
                         (data.path.empty() ? data.task == record.task
                                            : place_from_root(data.path) == record.data_path);
    if (changed)
      say("star: warning: the text has changed since the training ({}, then {}): its parts "
          "are others, and some of what is judged may have been trained on\n",
          dataset->identity(), record.identity);
    return dataset;
  }

  void print_document(const LoadedModel& loaded, const Dataset& dataset, const Judgement& j,
                      const std::vector<Judgement>& parts) const {
    nlohmann::json document = judgement_json(j);
    document["genome"] = loaded.about.genome;
    document["split"] = split;
    document["weights"] = weights.form;
    document["data"] = dataset.identity();
    document["seq"] = dataset.length();
    const std::vector<std::string> names = dataset.parts();
    if (names.size() > 1)
      for (size_t i = 0; i < names.size(); ++i)
        document["parts"][names[i]] = judgement_json(parts[i]);
    print_json(document);
  }

  void print_text(const Dataset& dataset, const Judgement& j,
                  const std::vector<Judgement>& parts) const {
    auto line = [&](const std::string& name, const Judgement& x) {
      fmt::print("{:14} {}  accuracy {:.4f}  macro {:.4f}  over {} targets\n", name,
                 loss_text(x, dataset), x.accuracy, x.macro_accuracy, x.targets);
    };
    const std::vector<std::string> names = dataset.parts();
    if (names.size() > 1)
      for (size_t i = 0; i < names.size(); ++i) line(names[i], parts[i]);
    line(split, j);
  }
};

}  // namespace

void declare_eval(CLI::App& app) {
  auto c = std::make_shared<Eval>();
  CLI::App* sub = app.add_subcommand(
      "eval",
      "Loss of a checkpoint on a whole split, of the data of its training unless one is given");
  sub->add_option("checkpoint", c->checkpoint, "A checkpoint made by star train")->required();
  sub->add_option("--split", c->split, "Which part of the data")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  add_whole(*sub, "--batch", c->batch, 0, 1 << 20,
            "Sequences at a time, for the memory that it takes; 0: about 2048 tokens")
      ->capture_default_str();
  c->data.declare(*sub);
  declare_length(*sub, c->length, "what the task says, else as in the training");
  c->weights.declare(*sub);
  c->common.declare(*sub);
  c->seed_option = sub->get_option("--seed");
  c->seed_option->description("Seed of a generated task (default: as in the training)")
      ->default_str("");
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
