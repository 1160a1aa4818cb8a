// Options in a file: TOML (toml.io) of which every value is a number, a string, a truth value or a
// list of numbers and strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace star {

// One `key = value`, under the names of its tables: {"genome", "show"} of [genome.show].
struct TomlEntry {
  enum Kind { number, text, truth, list };

  std::vector<std::string> tables;
  std::string key;
  int64_t line = 0;
  Kind kind = text;
  std::vector<std::string> values;  // one, but of a list; a truth value is "true" or "false"
};

// In the order of their lines. Throws `Error`, which names `file` and the line, where the text is
// no TOML or has values of another kind.
std::vector<TomlEntry> parse_toml(std::string_view text, const std::string& file);

}  // namespace star
