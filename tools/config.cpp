#include "tools/config.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.h"
#include "core/toml.h"
#include "tools/command_line.h"

namespace star::cli {
namespace {

constexpr std::streamsize kLongest = 1 << 20;

class Taking {
 public:
  Taking(CLI::App& app, const std::string& file) : app_(app), file_(file) {
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
      at = at->get_subcommands()[0];
      called_.push_back(at->get_name());
    }
  }

  void take(const TomlEntry& entry) {
    const std::string place = fmt::format("{}, line {}", file_, entry.line);
    CLI::Option& option = option_of(entry, place);
    require(taken_.insert(&option).second, "{}: {} is given twice, in a table and outside of it",
            place, entry.key);
    check_kind(option, entry, place);
    if (!option.empty()) return;  // by the command line
    try {
      option.add_result(entry.values);
      option.run_callback();
    } catch (const CLI::ParseError& e) {
      fail("{}: {}", place, e.what());
    }
  }

 private:
  CLI::Option& option_of(const TomlEntry& entry, const std::string& place) const {
    CLI::App* at = &app_;
    std::string path;
    for (auto& name : entry.tables.empty() ? called_ : entry.tables) {
      const std::vector<std::string> below = command_names(*at);
      require(std::find(below.begin(), below.end(), name) != below.end(),
              "{}: {}: there is no command {}{}{}", place, entry.key, path, name,
              suggestion(name, below));
      at = at->get_subcommand(name);
      path += name + " ";
    }
    CLI::Option* option = at->get_option_no_throw("--" + entry.key);
    if (!option) option = at->get_option_no_throw(entry.key);
    const bool known = option && option->get_configurable() && !entry.key.starts_with('-');
    require(known, "{}: {}: no option of star {}", place, entry.key,
            path.substr(0, path.size() - !path.empty()));
    return *option;
  }

  static void check_kind(const CLI::Option& option, const TomlEntry& entry,
                         const std::string& place) {
    const bool flag = option.get_items_expected_max() == 0;
    require(!flag || entry.kind == TomlEntry::truth, "{}: {}: it is true or false", place,
            entry.key);
    require(flag || entry.kind != TomlEntry::truth, "{}: {}: {} is no value of it", place,
            entry.key, entry.values[0]);
    const bool several = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    require(several || entry.kind != TomlEntry::list, "{}: {}: it takes one value, not a list",
            place, entry.key);
    for (auto& value : entry.values) {
      require(!value.empty(), "{}: {}: an empty value", place, entry.key);
      require(!option.get_allow_extra_args() || !value.starts_with('[') || !value.ends_with(']'),
              "{}: {}: the brackets of a list stand outside of its strings", place, entry.key);
    }
  }

  CLI::App& app_;
  const std::string& file_;
  std::vector<std::string> called_;
  std::set<const CLI::Option*> taken_;
};

}  // namespace

std::vector<CLI::ConfigItem> TomlConfig::from_config(std::istream& input) const {
  const auto file = app_.get_config_ptr()->as<std::string>();
  std::string text(kLongest + 1, '\0');
  text.resize(size_t(input.read(text.data(), kLongest + 1).gcount()));
  require(text.size() <= kLongest, "{}: more than {} bytes are no file of options", file, kLongest);
  Taking taking(app_, file);
  for (auto& entry : parse_toml(text, file)) taking.take(entry);
  return {};
}

std::string check_regular(const std::string& path) {
  std::error_code none;
  const auto status = std::filesystem::status(path, none);
  const bool other = std::filesystem::is_other(status);
  require(!other, "{}: not a regular file", path);
  return "";
}

std::string unreadable(const std::string& path) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none)) return path + ": a folder, not a file of options";
  std::ifstream file(path);
  return fmt::format("{}: {}", path, file ? "cannot be read" : std::strerror(errno));
}

}  // namespace star::cli
