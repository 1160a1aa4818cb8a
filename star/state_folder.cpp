#include "star/state_folder.h"

#include <filesystem>

#include "star/trial.h"

namespace star::synthesis {

namespace fs = std::filesystem;

StateFolder::StateFolder(const std::string& run, const std::vector<int64_t>& rungs)
    : rungs_(rungs) {
  std::error_code none;
  if (!rungs_.empty()) path_ = fs::absolute(run + ".rungs", none);
}

void StateFolder::make() {
  std::error_code none;
  if (!path_.empty()) fs::create_directory(path_, none);
}

void StateFolder::forget(const std::string& genome) {
  std::error_code none;
  for (int64_t rung : rungs_) fs::remove(state_file(path_, genome, rung), none);
}

// Also what a worker was writing when it was killed, which has a longer name (core/file.h).
void StateFolder::remove() {
  if (path_.empty()) return;
  std::error_code none;
  std::vector<fs::path> ours;
  for (auto& entry : fs::directory_iterator(path_, none))
    if (entry.path().filename().string().find(kStateSuffix) == kStateName)
      ours.push_back(entry.path());
  for (auto& path : ours) fs::remove(path, none);
  fs::remove(path_, none);  // unless somebody keeps something of his own there
}

}  // namespace star::synthesis
