// Errors. Wrong use of the API and bad input throw `Error`, whose text is one line that names the
// operation, the shapes or the place in the file. Expected outcomes are values; `assert` is for
// invariants of our own.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "core/layers.h"

namespace star {

// What is quoted may come from a damaged file or be a strange name: control characters are written
// out.
inline std::string one_line(const std::string& text) {
  std::string line;
  for (char c : text) {
    const bool control = static_cast<unsigned char>(c) < ' ' || c == 127;
    line += control ? fmt::format("\\x{:02x}", int(c)) : std::string(1, c);
  }
  return line;
}

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what) : std::runtime_error(one_line(what)) {}
};

// Output that cannot be written: the work failed, while the input was good.
class WriteError : public Error {
 public:
  using Error::Error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

// Throws unless `ok`.
template <class... Args>
void require(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) fail(format, std::forward<Args>(args)...);
}

}  // namespace star
