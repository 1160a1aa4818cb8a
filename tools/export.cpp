// star export.
#include <filesystem>
#include <string_view>

#include "star/after/check.h"
#include "star/compiler.h"
#include "star/export/folder.h"
#include "star/settings_table.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/source.h"

namespace star::cli {
namespace {

struct Export {
  Common common;
  ModelOptions model;
  std::string source, to = "pytorch", out;
  CLI::App* app = nullptr;

  void run() {
    const std::string folder = folder_given();
    const ExportForm& form = export_form(to);
    require_own_or_new_folder(form, folder);
    for (auto& path : exported_paths(form, folder)) check_place(path, folder);
    auto exec = common.make_exec();
    LoadedModel loaded = !is_path(source)      ? fresh(*exec, source)
                         : is_run_file(source) ? evolved(*exec)
                                               : trained(*exec);
    write_export(form, folder, *exec, *loaded.model, loaded.about);
    common.json ? print_document(form, loaded, folder) : print_text(form, loaded, folder);
  }

 private:
  std::string weights = "fresh";  // or those of the checkpoint

  bool given(const char* option) const { return app->get_option(option)->count() > 0; }

  // Without slashes at its end, so that it has a name even where it is not there yet.
  std::string folder_given() const {
    std::string folder = out.empty() ? usual_folder() : out;
    while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
    return folder;
  }

  std::string usual_folder() const {
    require(is_path(source), "export: give the folder for {} with --out", source);
    for (std::string_view suffix : {".safetensors", ".run"})
      if (source.ends_with(suffix))
        return source.substr(0, source.size() - suffix.size()) + "-" + to;
    return source + "-" + to;
  }

  // A folder that is not there yet has nothing in the way but its name.
  void check_place(const std::string& path, const std::string& folder) const {
    const std::vector<std::string> inputs = {is_path(source) ? source : "", model.pool_path,
                                             config_file(*app)};
    std::error_code none;
    check_output(std::filesystem::exists(folder, none) ? path : folder, inputs);
  }

  // Fresh weights, drawn from the seed.
  LoadedModel fresh(Exec& exec, const std::string& text) {
    Pool pool;
    const Genome genome = model.genome(text, pool);
    Sizes sizes = model.sizes;
    if (model.length > 0) sizes.seq = model.length;
    check_sizes(sizes);
    return {
        std::make_unique<Backbone>(&exec, compile(genome, pool), sizes, DType::f32, common.seed),
        checkpoint_of(genome, pool)};
  }

  // A run keeps no weights: its best genome, with fresh ones by the seed of the search.
  LoadedModel evolved(Exec& exec) {
    const CheckedRun run = open_run_file(source);
    const SearchSettings& s = run.settings;
    if (!given("--pool")) model.pool = s.pool;
    if (!given("--seed")) common.seed = s.seed;
    for_each_size([&](const Setting& row, const auto& field) {
      if (*row.help && !given(row.option)) field(model.sizes) = field(s.sizes);
    });
    if (!given("--vocab")) model.sizes.vocab = s.sizes.vocab;
    model.sizes.seq = s.sizes.seq;
    model.sizes.decoder = s.sizes.decoder;
    return fresh(exec, best_of_run(run, source));
  }

  LoadedModel trained(Exec& exec) {
    refuse_beside_checkpoint();
    weights = source;
    return load_checkpoint(source, exec);
  }

  // All of them are what the checkpoint says.
  void refuse_beside_checkpoint() const {
    std::vector<std::string> fixed = {"--pool", "--vocab", "--seq", "--depth", "--seed"};
    for_each_size([&](const Setting& row, const auto&) {
      if (*row.help) fixed.push_back(row.option);
    });
    for (auto& option : fixed)
      require(!given(option.c_str()), "{}: {} is a checkpoint and says that itself", option,
              source);
  }

  void print_document(const ExportForm& form, const LoadedModel& loaded,
                      const std::string& folder) const {
    nlohmann::json document = {{"out", folder},
                               {"to", form.name},
                               {"files", written_paths(form, folder)},
                               {"genome", loaded.about.genome},
                               {"params", loaded.model->parameter_count()},
                               {"weights", weights == "fresh" ? "fresh" : "trained"}};
    if (form.opset > 0) document["opset"] = form.opset;
    print_json(document);
  }

  void print_text(const ExportForm& form, const LoadedModel& loaded,
                  const std::string& folder) const {
    fmt::print("genome      {}\nparameters  {}\nweights     {}\n", loaded.about.genome,
               loaded.model->parameter_count(),
               weights == "fresh" ? "fresh, drawn from the seed " + std::to_string(common.seed)
                                  : "those of " + weights);
    if (is_path(source) && weights == "fresh")
      fmt::print(
          "            a run keeps none; for trained ones: star train {0} --out "
          "best.safetensors\n",
          shell_path(source));
    if (form.opset > 0) fmt::print("opset       {}\n", form.opset);
    for (auto& path : written_paths(form, folder)) fmt::print("written     {}\n", path);
  }
};

}  // namespace

void declare_export(CLI::App& app) {
  auto c = std::make_shared<Export>();
  CLI::App* sub =
      app.add_subcommand("export", "Writes a model for PyTorch and transformers, or as ONNX");
  c->app = sub;
  sub->add_option(
         "source", c->source,
         "A checkpoint; or, with fresh weights: a genome, a name such as @hybrid, or a run "
         "file, which keeps no weights: the best that it has found, at the sizes of the search")
      ->required();
  std::vector<std::string> forms;
  std::string help;
  for (const ExportForm& form : export_forms()) {
    forms.push_back(form.name);
    help += fmt::format("{}{}: {}", help.empty() ? "" : "; ", form.name, form.help);
  }
  sub->add_option("--to", c->to, help)->check(CLI::IsMember(forms))->capture_default_str();
  sub->add_option("--out", c->out,
                  "The folder (default: best-pytorch of best.safetensors). A file in it that no "
                  "export wrote is never replaced");
  c->model.declare_depth(*sub);
  add_whole(*sub, "--vocab", c->model.sizes.vocab, 1, int64_t(1) << 24, "Vocabulary V")
      ->capture_default_str();
  c->model.declare(*sub);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
