// A folder of this process that goes with the test.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>

namespace star {

struct TemporaryFolder {
  std::filesystem::path path = [] {
    static std::atomic<int> count{0};
    return std::filesystem::temp_directory_path() /
           fmt::format("star-test-{}-{}", getpid(), count++);
  }();
  TemporaryFolder() { std::filesystem::create_directories(path); }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

}  // namespace star
