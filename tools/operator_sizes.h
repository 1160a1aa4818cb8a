// The sizes of one operator, as the commands take them that look at one.
#pragma once

#include <CLI/CLI.hpp>

#include "liv/layout.h"

namespace star::cli {

// --width, --heads, --window, and --seq for the tokens.
void declare_operator_sizes(CLI::App& app, liv::Sizes& sizes, int64_t& length,
                            const char* length_help);

}  // namespace star::cli
