// Files that commands write.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace star::cli {

// To be asked before long work. Throws `Error` where `path` is one of the files that the command
// reads or writes too, under whatever name, where it is a run file or a run file's journal, or
// where it cannot be written (core/file.h). Empty inputs, and such as do not exist, count as none;
// a folder that is read may hold the output.
void check_output(const std::string& path, const std::vector<std::string>& inputs);

// The file that --config names, which a command reads too; empty where it was not given.
std::string config_file(const CLI::App& command);

}  // namespace star::cli
