// What a command is given for a model.
#pragma once

#include <string>

namespace star::cli {

// Whether the text names a file, of a run or a checkpoint, rather than a genome: that has no point
// and no slash.
bool is_path(const std::string& text);

}  // namespace star::cli
