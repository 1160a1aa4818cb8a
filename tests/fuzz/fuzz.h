// What reads bytes from outside, to be fed with bytes that nobody meant.
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace star::synthesis {

struct FuzzTarget {
  const char* name;
  // True if the input was accepted. Refusals are star::Error, caught here; whatever else leaves it
  // is a fault of the parser, and so is an accepted input that does not keep the parser's promises.
  bool (*run)(std::string_view input);
  std::vector<std::string> (*seeds)();  // inputs that are accepted, or nearly
  int cost = 1;                         // one of its inputs takes as long as so many of others
};

const std::vector<FuzzTarget>& fuzz_targets();

inline void promise(bool kept, const char* what) {
  if (!kept) throw std::logic_error(what);
}

// Whether `f` ran to its end; an Error is a line of text.
template <class F>
bool accepted(const F& f) {
  try {
    f();
    return true;
  } catch (const Error& e) {
    promise(*e.what() && !std::strpbrk(e.what(), "\n\r\x1b"), "an error that is no line");
    return false;
  }
}

// tests/fuzz/runs.cpp
bool run_run_file(std::string_view input);
std::vector<std::string> run_file_seeds();

}  // namespace star::synthesis
