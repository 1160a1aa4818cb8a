// --config: options from a TOML file, named as on the command line. Those at the top level are of
// the command that is called, those in a table of the command that it names: [genome.show].
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace star::cli {

// Takes the options into the application itself, so that what is refused is refused with its line.
// What the command line has given stays.
class TomlConfig : public CLI::Config {
 public:
  explicit TomlConfig(CLI::App& app) : app_(app) {}
  // Throws `Error`, which names file, line and key.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return ""; }

 private:
  CLI::App& app_;
};

// Throws `Error` for a pipe or a device, which reading might wait for; else the empty string.
std::string check_regular(const std::string& path);

// Why a file cannot be read, as one line.
std::string unreadable(const std::string& path);

}  // namespace star::cli
