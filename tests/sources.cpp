#include "tests/sources.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace star {

std::string source_folder() { return STAR_SOURCE_DIR; }

std::string source_text(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(std::filesystem::path(source_folder()) / name, std::ios::binary).rdbuf();
  return text.str();
}

const std::map<std::string, std::string>& sources(const std::string& folder) {
  static std::map<std::string, std::map<std::string, std::string>> known;
  auto& files = known[folder];
  if (!files.empty()) return files;
  const std::filesystem::path root = source_folder();
  for (auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
    static const std::set<std::string> kKinds = {".h", ".cpp", ".cu", ".def", ".js"};
    const std::string name = entry.path().lexically_relative(root).string();
    if (kKinds.count(entry.path().extension().string()) && name.find("experiments") == name.npos)
      files[name] = source_text(name);
  }
  REQUIRE(files.size() > 20);
  return files;
}

}  // namespace star
