// star train, star eval.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "core/file.h"
#include "star/checkpoint.h"
#include "star/compiler.h"
#include "star/search_settings.h"
#include "star/store.h"
#include "tools/command.h"
#include "tools/options.h"

namespace star {
namespace {

struct Train {
  Common common;
  DataOptions data;
  ModelOptions model;
  TrainOptions training;
  std::string genome, out;

  // A run file stands for the front's genome of the best quality, trained on the run's data.
  void take_from_run() {
    RunFile run = RunFile::open(genome);
    SearchSettings settings = settings_from_json(run.settings());
    std::vector<Generation> generations = run.generations();
    double best = std::numeric_limits<double>::infinity();
    std::string path = genome;
    if (!generations.empty())
      for (auto& member : generations.back().front) {
        double quality = run.evaluation(member)->metrics.at("quality");
        if (quality >= best) continue;
        best = quality;
        genome = member;
      }
    require(std::isfinite(best), "{}: the search has no front yet", path);
    model.pool = settings.pool;
    if (data.path.empty() && data.task.empty()) data = {settings.data_path, settings.task};
  }

  void run() {
    if (std::filesystem::is_regular_file(genome)) take_from_run();
    auto dataset = data.open(model.length, common.seed);
    dataset->check(Split::train);
    dataset->check(Split::validation);
    Pool pool;
    Genome g = model.genome(genome, pool);
    Sizes sizes = model.for_data(*dataset);
    if (!out.empty()) require_writable(out);
    auto exec = common.make_exec();
    Backbone backbone(exec.get(), compile(g, pool), sizes, DType::f32, common.seed);
    training.seed = common.seed;

    Progress progress(common.quiet, "step", training.steps);
    TrainResult result = train(*exec, backbone, *dataset, training, [&](int64_t step, double loss) {
      progress.update(step, fmt::format("loss {:.4f}", loss));
      return !interrupted();
    });
    progress.finish();
    if (result.failure == "interrupted")
      throw Interrupted(fmt::format("interrupted at step {}; nothing was written", result.steps));
    if (!result.failure.empty()) throw Failure("training " + result.failure);

    Judgement val = judge(*exec, backbone, *dataset, Split::validation, training.batch);
    std::string text = to_text(canonical(g, pool));
    nlohmann::json how = {{"data", dataset->identity()},
                          {"steps", result.steps},
                          {"batch", training.batch},
                          {"lr", training.learning_rate},
                          {"warmup", training.warmup},
                          {"weight_decay", training.optimizer.weight_decay},
                          {"clip", training.optimizer.clip},
                          {"seed", common.seed},
                          {"val_loss", val.loss}};
    if (!out.empty()) save_checkpoint(out, *exec, backbone, checkpoint_of(g, pool, how.dump()));
    report(text, backbone, result, val);
  }

  void report(const std::string& text, const Backbone& backbone, const TrainResult& result,
              const Judgement& val) const {
    double rate = double(result.tokens) / std::max(result.seconds, 1e-9);
    if (common.json) {
      nlohmann::json j = {{"genome", text},
                          {"params", backbone.parameter_count()},
                          {"steps", result.steps},
                          {"train_loss", result.train_loss},
                          {"val_loss", val.loss},
                          {"val_bpb", nats_to_bits(val.loss)},
                          {"val_accuracy", val.accuracy},
                          {"val_macro_accuracy", val.macro_accuracy},
                          {"tokens_per_s", rate}};
      if (!out.empty()) j["checkpoint"] = out;
      print_json(j);
      return;
    }
    fmt::print("genome      {}\nparameters  {}\nsteps       {}  ({:.0f} tokens/s)\n", text,
               backbone.parameter_count(), result.steps, rate);
    if (result.steps > 0) fmt::print("training    {:.4f} nats\n", result.train_loss);
    fmt::print("validation  {:.4f} nats, {:.4f} bits a byte, accuracy {:.4f}\n", val.loss,
               nats_to_bits(val.loss), val.accuracy);
    if (!out.empty()) fmt::print("written     {}\n", out);
  }
};

struct Eval {
  Common common;
  DataOptions data;
  std::string checkpoint, split = "validation";
  int batch = 32;

  void run() {
    auto exec = common.make_exec();
    LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    auto dataset = data.open(loaded.model->sizes().seq, common.seed);
    Split which = split == "test"    ? Split::test
                  : split == "train" ? Split::train
                                     : Split::validation;
    dataset->check(which);
    std::vector<Judgement> parts;
    Judgement j = judge(*exec, *loaded.model, *dataset, which, batch, &parts);
    if (!std::isfinite(j.loss)) throw Failure(checkpoint + ": the loss is not a number");
    std::vector<std::string> names = dataset->parts();
    if (common.json) {
      nlohmann::json doc = judgement_json(j);
      doc["genome"] = loaded.about.genome;
      doc["split"] = split;
      if (names.size() > 1)
        for (size_t i = 0; i < names.size(); ++i) doc["parts"][names[i]] = judgement_json(parts[i]);
      print_json(doc);
      return;
    }
    auto line = [](const std::string& name, const Judgement& x) {
      fmt::print("{:14} {:.4f} nats  {:.4f} bits  accuracy {:.4f}  macro {:.4f}  over {} targets\n",
                 name, x.loss, nats_to_bits(x.loss), x.accuracy, x.macro_accuracy, x.targets);
    };
    if (names.size() > 1)
      for (size_t i = 0; i < names.size(); ++i) line(names[i], parts[i]);
    line(split, j);
  }
};

}  // namespace

void declare_train(CLI::App& app) {
  auto c = std::make_shared<Train>();
  CLI::App* sub = app.add_subcommand("train", "Trains one genome");
  sub->add_option(
         "genome", c->genome,
         "A genome, a name such as @hybrid:8, or a run file: the best of its front, on its data")
      ->required();
  sub->add_option("--out", c->out, "Where the checkpoint goes (safetensors)");
  c->data.declare(*sub);
  c->model.declare(*sub);
  declare_training(*sub, c->training);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

void declare_eval(CLI::App& app) {
  auto c = std::make_shared<Eval>();
  CLI::App* sub = app.add_subcommand("eval", "Loss of a checkpoint");
  sub->add_option("checkpoint", c->checkpoint, "A checkpoint made by star train")->required();
  sub->add_option("--split", c->split, "Which part of the data")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  add_whole(*sub, "--batch", c->batch, 1, 1 << 20, "Sequences at a time")->capture_default_str();
  c->data.declare(*sub);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star
