// How options are declared. Numbers are decimal, within a range that --help states, and read here:
// CLI11 would take 010 for eight and cut what is too long.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "star/named.h"
#include "star/range.h"
#include "star/settings_table.h"

namespace star::cli {

// A whole number from `least` to `most`; T is int, int64_t or uint64_t.
template <class T>
CLI::Option* add_whole(CLI::App& app, const std::string& name, T& value,
                       std::type_identity_t<T> least, std::type_identity_t<T> most,
                       const std::string& what);

// A finite number.
CLI::Option* add_real(CLI::App& app, const std::string& name, double& value, const Range& range,
                      const std::string& what);

// Finite numbers separated by commas.
CLI::Option* add_reals(CLI::App& app, const std::string& name, std::vector<double>& values,
                       const Range& range, const std::string& what);

// Whole numbers separated by commas, in one or several values.
CLI::Option* add_whole_numbers(CLI::App& app, const std::string& name, std::vector<int64_t>& values,
                               int64_t least, int64_t most, const std::string& what);

// --memory-limit, in MiB on the command line; 0 is no limit, and less than a byte is refused. Shows
// `usual` bytes as the default, if any.
CLI::Option* add_memory_limit(CLI::App& app, const std::string& what,
                              const std::function<void(uint64_t bytes)>& set,
                              std::optional<uint64_t> usual = {});

// A time as 90s, 30m, 1h30m, 2d, or a number of seconds; longer than 0.
CLI::Option* add_duration(CLI::App& app, const std::string& name, double& seconds,
                          const std::string& what);

// Words separated by commas, in one or several values; empty `choices`: any.
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& list,
                      const std::string& what, const std::vector<std::string>& choices = {});

// A row of a table, by its name.
template <class Row>
CLI::Option* add_named(CLI::App& app, const std::string& name, Named<Row>& value,
                       const std::string& what) {
  auto read = [&value](const CLI::results_t& given) {
    value = Named<Row>(given.at(0));
    return true;
  };
  return app.add_option(name, read, what, false, [&value] { return std::string(value.name()); })
      ->type_name("TEXT")
      ->check(CLI::IsMember(Named<Row>::names()));
}

// The option of a row of the table of settings that has a help text; of one without, none.
template <class T>
void add_setting(CLI::App& app, const Setting& row, T& value) {
  if (!*row.help) return;
  CLI::Option* option = nullptr;
  if constexpr (std::is_integral_v<T>)
    option = add_whole(app, row.option, value, T(row.range.least), T(row.range.most), row.help);
  else if constexpr (std::is_floating_point_v<T>)
    option = add_real(app, row.option, value, row.range, row.help);
  else if constexpr (std::is_same_v<T, std::vector<int64_t>>)
    option = add_whole_numbers(app, row.option, value, int64_t(row.range.least),
                               int64_t(row.range.most), row.help);
  else if constexpr (std::is_same_v<T, std::vector<std::string>>)
    option = add_list(app, row.option, value, row.help, row.words);
  else if constexpr (requires { value->name; })
    option = add_named(app, row.option, value, row.help);
  else
    fail("the option {} does not follow from its row", row.option);
  if constexpr (requires { value.empty(); })
    if (value.empty()) return;  // there is no default to show
  option->capture_default_str();
}

// Once all is declared: of every option of the program and its commands, an empty value and a flag
// that is neither true nor false are refused.
void complete_options(CLI::App& app);

}  // namespace star::cli
