// What a worker process is asked for.
#pragma once

#include "star/recipe.h"

namespace star::synthesis {

struct Request {
  bool measure = false;  // rather than train it and judge it
  std::string genome;
  Recipe recipe = {};       // of the training
  std::string states = {};  // the folder that keeps trainings at rungs, from the root; or none
  std::string pool = {};    // of the genome, where it is not the search's

  bool operator==(const Request&) const = default;
};

// On its way to another process or machine: every byte of it, since a path may be no UTF-8, and none
// of it holds a NUL. Throws `Error` for a text that is none.
std::string to_text(const Request& request);
Request request_of(const std::string& text);

}  // namespace star::synthesis
