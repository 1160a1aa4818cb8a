// The program's own sources, for tests of how they hang together.
#pragma once

#include <map>
#include <string>

namespace star {

// The folder of the checkout that the tests were built from.
std::string source_folder();
std::string source_text(const std::string& name);

// The source files below a folder, by their path; experiments are made of the program.
const std::map<std::string, std::string>& sources(const std::string& folder);

}  // namespace star
