#include "tools/output.h"

#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "star/store.h"

namespace star::cli {
namespace {

namespace fs = std::filesystem;

// One file, be it there or not: by device and inode, or by the name that it will have.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  if (fs::exists(a, error) && fs::exists(b, error)) return fs::equivalent(a, b, error);
  auto whole = [&](const std::string& path) {
    return fs::weakly_canonical(link_target(path), error);
  };
  return whole(a) == whole(b);
}

}  // namespace

std::string config_file(const CLI::App& command) {
  const CLI::App* root = &command;
  while (root->get_parent()) root = root->get_parent();
  const CLI::Option* config = root->get_option_no_throw("--config");
  return config && config->count() > 0 ? config->results().back() : "";
}

void check_output(const std::string& path, const std::vector<std::string>& inputs) {
  constexpr std::string_view kJournal = "-journal";
  for (auto& input : inputs)
    require(input.empty() || !same_file(path, input),
            "{}: this command reads or writes it already; the output needs another name", path);
  require(!is_run_file(path), "{}: is a run file, which nothing is written over", path);
  const bool journal = path.ends_with(kJournal);
  require(!journal || !is_run_file(path.substr(0, path.size() - kJournal.size())),
          "{}: is the journal of a run file", path);
  require_writable(path);
}

}  // namespace star::cli
