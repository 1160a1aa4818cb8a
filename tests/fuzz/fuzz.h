// What reads bytes from outside, to be fed with bytes that nobody meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace star {

struct FuzzTarget {
  const char* name;
  // True if the input was accepted. Refusals are star::Error, caught here; whatever else leaves it
  // is a fault of the parser, and so is an accepted input that does not keep the parser's promises.
  bool (*run)(std::string_view input);
  std::vector<std::string> (*seeds)();  // inputs that are accepted, or nearly
};

const std::vector<FuzzTarget>& fuzz_targets();

}  // namespace star
