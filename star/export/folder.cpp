#include "star/export/folder.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "star/export/onnx.h"
#include "star/export/pieces.h"
#include "star/export/pytorch.h"
#include "star/export/tokenizer.h"

namespace star::synthesis {
namespace {

namespace fs = std::filesystem;

std::string path_in(const std::string& folder, const char* name) { return fs::path(folder) / name; }

void write_text(const std::string& path, std::string_view text) { write_file(path, {&text, 1}); }

constexpr const char* kWeights = "model.safetensors";

constexpr const char *kProgram = "model.py", *kConfig = "config.json";
constexpr const char* kModeling = "modeling_star.py";

bool is_exported_program(const std::string& text) {
  return text.substr(0, text.find('\n')).find("`star`") != text.npos;
}

constexpr const char *kTokenizer = "tokenizer.json", *kTokenizerConfig = "tokenizer_config.json";

void write_pytorch(const std::string& folder, const Backbone& model, const Checkpoint& about) {
  write_text(path_in(folder, kProgram), pytorch_program(model, about));
  write_text(path_in(folder, kConfig), transformers_config(model, about));
  write_text(path_in(folder, kModeling), export_file("modeling_star"));
  const std::optional<Tokenizer> tokenizer = exported_tokenizer(model, about);
  if (!tokenizer) return;
  write_text(path_in(folder, kTokenizer), tokenizer_text(*tokenizer));
  write_text(path_in(folder, kTokenizerConfig), tokenizer_config(*tokenizer));
}

constexpr const char *kPrefill = "prefill.onnx", *kStep = "step.onnx";

void write_onnx(const std::string& folder, const Backbone& model, const Checkpoint& about) {
  const onnx::WeightTable weights = onnx_weights(path_in(folder, kWeights));
  write_text(path_in(folder, kPrefill), onnx_model(model, about, weights, onnx::Reading::prefill));
  write_text(path_in(folder, kStep), onnx_model(model, about, weights, onnx::Reading::step));
  if (const auto tokenizer = exported_tokenizer(model, about))
    write_text(path_in(folder, kTokenizer), tokenizer_text(*tokenizer));
}

// A folder that goes again, with all in it, unless it is kept; only one that this has made.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path) {
    std::error_code error;
    made_ = fs::create_directory(path, error);
    if (error) fail_writing(path, error.value());
  }
  ~NewFolder() {
    std::error_code ignored;
    if (made_) fs::remove_all(path_, ignored);
  }
  void keep() { made_ = false; }

 private:
  const std::string path_;
  bool made_ = false;
};

// As `write_file` does it: a link stays, what is replaced keeps its mode.
void move_over(const std::string& from, const std::string& path) {
  const std::string target = link_target(path);
  std::error_code error;
  const fs::file_status old = fs::status(target, error);
  if (fs::exists(old)) fs::permissions(from, old.permissions(), error);
  fs::rename(from, target, error);
  if (error) fail_writing(path, error.value());
}

// The files of an export, where they are all there: over those of an earlier one, of which the
// tokenizer may be one too many.
void move_all(const ExportForm& form, const std::string& from, const std::string& folder) {
  for (const char* name : form.files) {
    std::error_code none;
    if (fs::exists(path_in(from, name), none))
      move_over(path_in(from, name), path_in(folder, name));
    else
      fs::remove(path_in(folder, name), none);
  }
  synchronise_folder(path_in(folder, form.files[0]));
}

}  // namespace

std::span<const ExportForm> export_forms() {
  static const ExportForm forms[] = {
      {"pytorch",
       "model.py, which needs torch and safetensors, its weights, and what transformers wants to "
       "load the folder",
       {kWeights, kProgram, kConfig, kModeling, kTokenizer, kTokenizerConfig},
       is_exported_program,
       0,
       write_pytorch},
      {"onnx",
       fmt::format("prefill.onnx and step.onnx, of opset {}, for ONNX Runtime 1.15 or newer, and "
                   "their weights",
                   onnx::kOpset),
       {kWeights, kPrefill, kStep, kTokenizer},
       is_onnx_export,
       onnx::kOpset,
       write_onnx},
  };
  return forms;
}

const ExportForm& export_form(const std::string& name) {
  for (const ExportForm& form : export_forms())
    if (name == form.name) return form;
  fail("export: form {} is unknown", name);
}

std::vector<std::string> exported_paths(const ExportForm& form, const std::string& folder) {
  std::vector<std::string> paths;
  for (const char* name : form.files) paths.push_back(path_in(folder, name));
  return paths;
}

std::vector<std::string> written_paths(const ExportForm& form, const std::string& folder) {
  std::vector<std::string> paths = exported_paths(form, folder);
  std::erase_if(paths, [](const std::string& path) { return !fs::exists(path); });
  return paths;
}

void require_own_or_new_folder(const ExportForm& form, const std::string& folder) {
  std::error_code none;
  if (!fs::exists(folder, none)) return;
  require(fs::is_directory(folder, none), "{}: exists and is no folder", folder);
  const std::string own = path_in(folder, form.files[1]);
  if (fs::is_regular_file(own, none) && form.is_own(read_file(own))) return;
  for (auto& path : exported_paths(form, folder))
    require(!fs::exists(path, none),
            "{}: exists and is no export to {}; --out gives another folder", path, form.name);
}

void write_export(const ExportForm& form, const std::string& folder, Exec& exec,
                  const Backbone& model, const Checkpoint& about) {
  require(!model.sizes().decoder, "{}: a model with a decoder has no exported form", folder);
  NewFolder made(folder);
  // Its name says whose it is, should the power fail.
  const std::string parts = path_in(folder, fmt::format(".export-{}", ::getpid()).c_str());
  NewFolder written(parts);
  try {
    save_checkpoint(path_in(parts, form.files[0]), exec, model, about);
    form.write(parts, model, about);
  } catch (const WriteError& e) {  // which names the file as it is not called yet
    const std::string text = e.what();
    throw WriteError(text.starts_with(parts) ? folder + text.substr(parts.size()) : text);
  }
  move_all(form, parts, folder);
  made.keep();
}

}  // namespace star::synthesis
