// The program's own sources, for tests of how they hang together.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace star {

inline std::string source_text(const std::filesystem::path& name) {
  std::ostringstream text;
  text << std::ifstream(std::filesystem::path(STAR_SOURCE_DIR) / name, std::ios::binary).rdbuf();
  return text.str();
}

// The source files below a folder, by their path; experiments are made of the program.
inline const std::map<std::string, std::string>& sources(const std::string& folder) {
  static std::map<std::string, std::map<std::string, std::string>> known;
  auto& files = known[folder];
  if (!files.empty()) return files;
  const std::filesystem::path root = STAR_SOURCE_DIR;
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
