// Pictures of dense matrices.
#pragma once

#include <string>

#include "liv/mixing.h"

namespace star::cli {

// Draws up to `panels` of the matrices, evenly spread over all of them, as a grid in a PNG file. In
// each panel red is positive, blue negative, white near 0, on a scale of its own; grey is exactly
// 0. Errors: the file system.
void draw_matrices(const std::string& path, const DenseCore& matrices, int64_t panels);

}  // namespace star::cli
