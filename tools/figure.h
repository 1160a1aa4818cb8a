// Figures of dense matrices, to be read: axes, tokens, a scale; SVG, since that holds text.
#pragma once

#include <string>
#include <vector>

#include "tools/picture.h"

namespace star::cli {

struct NamedMatrices {
  std::string name;
  DenseCore matrices;
};

struct Figure {
  std::string title;
  std::string rows;                    // what a row of the matrices is: "head"
  std::vector<std::string> tokens;     // that read and wrote, as text; empty: their numbers
  std::vector<NamedMatrices> columns;  // drawn side by side on one scale; of equal shapes
  int64_t panels = 16;                 // rows that are shown, evenly chosen
};

// Writes the figure as an SVG file. Errors: the file system.
void draw_figure(const std::string& path, const Figure& figure);

}  // namespace star::cli
