// Figures of dense matrices, to be read: axes, tokens, a scale; SVG, since that holds text.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/picture.h"

namespace star::cli {

struct NamedMatrices {
  std::string name;
  DenseCore matrices;
};

// T(x) of an operator; of a differential one T₀, λT₁ and T, of which `materialize` gives the parts.
std::vector<NamedMatrices> named_maps(const LivClass& liv, const DenseCore& whole,
                                      const std::function<DenseCore(int part)>& materialize);

struct Figure {
  std::string title;
  std::string rows;                    // what a row of the matrices is: "head"
  std::vector<std::string> tokens;     // that read and wrote, as text; empty: their numbers
  std::vector<NamedMatrices> columns;  // drawn side by side on one scale; of equal shapes
  int64_t panels = 16;                 // rows that are shown, evenly chosen
};

// A token as a label; bytes that would not be seen by a sign, or as numbers.
std::string label_of(std::string_view token);

// Writes the figure as an SVG file. Errors: the file system.
void draw_figure(const std::string& path, const Figure& figure);

}  // namespace star::cli
