// What an error says.
#pragma once

#include <string>

#include "core/error.h"

namespace star {

// The text of the Error that the work throws; empty where it throws none.
std::string fault_of(auto&& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace star
