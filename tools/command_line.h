// The words of a command line before CLI11 reads them: what it would read otherwise than it was
// meant, or refuse without a word that helps, is refused here.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace star::cli {

// Error: an unknown command or option, with the nearest one that there is, and an option
// without a value, for which CLI11 would take the next word.
void check_words(const CLI::App& app, int argc, const char* const* argv);

// "; did you mean `NAME`?" of the name that is nearest; empty where none is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& names);

std::vector<std::string> command_names(const CLI::App& app);
// With their dashes, those of the program itself too.
std::vector<std::string> option_names(const CLI::App& command);

}  // namespace star::cli
