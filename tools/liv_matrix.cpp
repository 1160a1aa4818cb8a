// star liv matrix.
#include "core/npy.h"
#include "liv/random_operator.h"
#include "star/checkpoint.h"
#include "tools/command.h"
#include "tools/figure.h"
#include "tools/model_input.h"
#include "tools/operator_sizes.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/picture.h"
#include "tools/source.h"

namespace star::cli {
namespace {

// The T(x) that is looked at, whole or a part of it.
struct Subject {
  LivClass liv;
  int64_t heads;
  std::string title;                // what it is of
  std::vector<std::string> tokens;  // as they are written; empty where there are none
  std::function<DenseCore(std::optional<int> part)> materialize;
};

struct Matrix {
  static constexpr int kWhole = -1;
  Common common;
  Sizes sizes;
  int64_t length = 128, panels = 16;
  int part = kWhole, layer = 1;
  ModelInput input;
  std::string source, out, png, svg;
  CLI::App* app = nullptr;

  Matrix() { sizes.width = 16; }

  void run() {
    const std::string config = config_file(*app), read = is_path(source) ? source : "";
    check_output(out, {config, read, input.tokenizer});
    if (!png.empty()) check_output(png, {config, read, input.tokenizer, out});
    if (!svg.empty()) check_output(svg, {config, read, input.tokenizer, out, png});
    require(!png.empty() || !svg.empty() || app->get_option("--panels")->count() == 0,
            "--panels: is of a picture, --png or --svg");
    auto exec = common.make_exec();
    is_path(source) ? trained(*exec) : random(*exec);
  }

 private:
  void refuse(const std::vector<const char*>& options, const char* reason) const {
    for (const char* option : options)
      require(app->get_option(option)->count() == 0, "{}: {} {}", option, source, reason);
  }

  // On random input, with random weights.
  void random(Exec& exec) {
    const LivClass liv = class_named(source);
    refuse({"--layer", "--text", "--tokens", "--tokenizer"}, "is a class, not a checkpoint");
    sizes.seq = length;
    RandomOperator random(exec, liv, sizes, DType::f64, Rng(common.seed, "matrix").bits());
    Rng rng(common.seed, "matrix.input");
    Tape tape(exec, false);
    const std::vector<Var> values = random.on(tape);
    const Weights weights = random.weights(values);
    Var x = tape.constant(random_tensor(exec, rng, {1, length, sizes.width}, DType::f64));
    FeatureSet features;
    random.op.apply(weights, x, features, nullptr);
    write({liv,
           sizes.heads,
           fmt::format("{} on random input", liv.name),
           {},
           [&](std::optional<int> of) {
             return of ? random.op.materialize_part(weights, features, *of)
                       : random.op.materialize(weights, features);
           }});
  }

  // On what a LIV of a trained model reads where the model is given a text, or random tokens.
  void trained(Exec& exec) {
    refuse({"--width", "--heads", "--window"}, "has sizes of its own");
    if (input.given()) refuse({"--seq", "--seed"}, "reads what --text or --tokens says");
    const LoadedModel loaded = load_checkpoint(source, exec);
    const Backbone& model = *loaded.model;
    const int depth = int(model.blocks().size());
    require(layer <= depth, "--layer: {} has LIVs 1 to {}", source, depth);
    // As many as in training, unless --seq says how many.
    const bool counted = app->get_option("--seq")->count() > 0;
    const auto [ids, words] =
        input.read(loaded, source, counted ? length : model.sizes().seq, common.seed);
    length = int64_t(ids.size());
    const Tensor tokens = exec.from({1, length}, std::span<const int32_t>(ids));
    Tape tape(exec, false);
    const LivClass& liv = model.liv(layer - 1).liv();
    write({liv, model.sizes().heads, fmt::format("{}, LIV {} of {}", liv.name, layer, source),
           words,
           [&](std::optional<int> of) { return model.materialize(tape, tokens, layer - 1, of); }});
  }

  void write(const Subject& subject) const {
    require(part == kWhole || subject.liv.differential,
            "--part: {} is not differential, its T has no parts", subject.liv.name);
    const DenseCore core =
        subject.materialize(part == kWhole ? std::nullopt : std::optional<int>(part));
    const std::vector<int64_t> shape = {core.rows, core.length, core.length};
    const std::vector<float> entries(core.entries.begin(), core.entries.end());
    write_npy(out, shape, std::span<const float>(entries));
    if (!png.empty()) draw_matrices(png, core, panels);
    if (!svg.empty()) draw_figure(svg, figure_of(subject, core));
    const std::string what = part == kWhole ? "T" : fmt::format("T{}", part);
    if (common.json) {
      nlohmann::json found = {
          {"shape", shape}, {"name", subject.liv.name}, {"of", what}, {"out", out}};
      if (is_path(source)) found["layer"] = layer;
      print_json(found);
    } else {
      fmt::print("{}: {}(x) of {}, [{}]\n", out, what, subject.title, fmt::join(shape, ", "));
    }
  }

  // Of a differential operator T0, λT1 and T side by side, which is how they differ.
  Figure figure_of(const Subject& subject, const DenseCore& core) const {
    Figure figure;
    figure.title = subject.title;
    figure.tokens = subject.tokens;
    figure.rows = core.rows == subject.heads ? "head" : "channel";
    figure.panels = panels;
    if (part == kWhole)
      figure.columns = named_maps(subject.liv, core, subject.materialize);
    else
      figure.columns = {{fmt::format("T{}", part), core}};
    return figure;
  }
};

}  // namespace

void declare_liv_matrix(CLI::App& liv) {
  auto c = std::make_shared<Matrix>();
  CLI::App* sub = liv.add_subcommand("matrix",
                                     "T(x) of a class on random input, or of a LIV of a trained "
                                     "model on a text, as numbers [rows, L, L] and as a picture");
  c->app = sub;
  sub->add_option("class", c->source, "An id, a name or a genome of one LIV; or a checkpoint")
      ->required();
  c->common.declare(*sub);
  declare_operator_sizes(*sub, c->sizes, c->length, "Tokens L");
  sub->get_option("--seq")->capture_default_str();
  add_whole(*sub, "--layer", c->layer, 1, 1 << 20,
            "Of a checkpoint: which LIV, from 1, as star genome show counts them")
      ->capture_default_str();
  c->input.declare(*sub);
  add_whole(*sub, "--part", c->part, 0, 1,
            "T0 or T1 of a differential class alone, rather than T = T0 - lambda T1");
  sub->add_option("--out", c->out, "The NumPy file to write, float32")->required();
  sub->add_option("--png", c->png,
                  "A picture: red is positive, blue negative, grey exactly 0, each panel on a "
                  "scale of its own");
  sub->add_option("--svg", c->svg,
                  "The same as a figure, with axes, the tokens and a scale; of a differential "
                  "class T0, lambda T1 and T side by side");
  add_whole(*sub, "--panels", c->panels, 1, int64_t(1) << 20,
            "Heads or channels in the picture, evenly chosen")
      ->capture_default_str();
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
