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

#include "star/named.h"

namespace star {

// A whole number from `least` to `most`; T is int, int64_t or uint64_t.
template <class T>
CLI::Option* add_whole(CLI::App& app, const std::string& name, T& value,
                       std::type_identity_t<T> least, std::type_identity_t<T> most,
                       const std::string& what);

// Numbers that an option takes, as --help and the refusal of others show them.
struct Reals {
  std::function<bool(double)> holds;
  std::string shown, words;
};
Reals reals_within(double least, double most);
Reals reals_from_zero();
Reals reals_above_zero();

// A finite number.
CLI::Option* add_real(CLI::App& app, const std::string& name, double& value, const Reals& range,
                      const std::string& what);

// Finite numbers separated by commas.
CLI::Option* add_reals(CLI::App& app, const std::string& name, std::vector<double>& values,
                       const Reals& range, const std::string& what);

// --memory-limit, in MiB on the command line; 0 is no limit, and less than a byte is refused. Shows
// `usual` bytes as the default, if any.
CLI::Option* add_memory_limit(CLI::App& app, const std::string& what,
                              const std::function<void(uint64_t bytes)>& set,
                              std::optional<uint64_t> usual = {});

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

// Once all is declared: of every option of the program and its commands, an empty value and a flag
// that is neither true nor false are refused.
void complete_options(CLI::App& app);

}  // namespace star
