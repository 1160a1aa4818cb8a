#include "star/export/folder.h"

#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "star/export/pieces.h"
#include "star/export/pytorch.h"

namespace star::synthesis {
namespace {

namespace fs = std::filesystem;

constexpr const char *kWeights = "model.safetensors", *kProgram = "model.py";
constexpr const char *kConfig = "config.json", *kModeling = "modeling_star.py";

std::string path_in(const std::string& folder, const char* name) { return fs::path(folder) / name; }

bool is_exported_program(const std::string& path) {
  const std::string text = read_file(path);
  return text.substr(0, text.find('\n')).find("`star`") != text.npos;
}

void write_text(const std::string& path, std::string_view text) { write_file(path, {&text, 1}); }

// A folder that goes again unless it is kept; only one that this has made.
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

}  // namespace

std::vector<std::string> exported_paths(const std::string& folder) {
  std::vector<std::string> paths;
  for (const char* name : {kWeights, kProgram, kConfig, kModeling})
    paths.push_back(path_in(folder, name));
  return paths;
}

void require_own_or_new_folder(const std::string& folder) {
  std::error_code none;
  if (!fs::exists(folder, none)) return;
  require(fs::is_directory(folder, none), "{}: exists and is no folder", folder);
  const std::string program = path_in(folder, kProgram);
  if (fs::is_regular_file(program, none) && is_exported_program(program)) return;
  for (auto& path : exported_paths(folder))
    require(!fs::exists(path, none), "{}: exists and is no export; --out gives another folder",
            path);
}

void export_pytorch(const std::string& folder, Exec& exec, const Backbone& model,
                    const Checkpoint& about) {
  NewFolder made(folder);
  save_checkpoint(path_in(folder, kWeights), exec, model, about);
  write_text(path_in(folder, kProgram), pytorch_program(model, about));
  write_text(path_in(folder, kConfig), transformers_config(model, about));
  write_text(path_in(folder, kModeling), export_file("modeling_star"));
  made.keep();
}

}  // namespace star::synthesis
