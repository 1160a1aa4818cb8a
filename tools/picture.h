// Pictures of dense matrices: red is positive, blue negative, on a logarithmic scale of kDecades;
// grey is exactly 0.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "liv/mixing.h"

namespace star::cli {

using Colour = std::array<uint8_t, 3>;

inline constexpr double kDecades = 3;
inline constexpr Colour kAbsent = {226, 226, 222};  // of an entry that is exactly 0

// Logarithmic, so that exponential decay is an even gradient; `scale` is the magnitude that is drawn
// darkest.
Colour colour_of_entry(double x, double scale);

// For the matrix of a row: only a hundredth of the entries off the diagonal exceed it, so that
// neither a few large ones nor a skip on the diagonal bleach the others.
double scale_of(const DenseCore& m, int64_t row);

// Pixels, white at first.
class Picture {
 public:
  // Error: too many pixels.
  Picture(int64_t width, int64_t height);
  void fill(int64_t x, int64_t y, int64_t width, int64_t height, const Colour& c);
  // The bytes of a PNG file.
  std::string png() const;

 private:
  int64_t width_, height_;
  std::vector<uint8_t> pixels_;
};

// The matrix of a row, an entry a cell of so many pixels, into a picture at (x, y).
void draw_matrix(Picture& picture, int64_t x, int64_t y, int64_t cell, const DenseCore& m,
                 int64_t row, double scale);

// Which `count` of so many rows are shown: evenly spread over all of them.
std::vector<int64_t> chosen_rows(int64_t rows, int64_t count);

// Draws up to `panels` of the matrices as a grid in a PNG file, each on a scale of its own. Errors:
// the file system.
void draw_matrices(const std::string& path, const DenseCore& matrices, int64_t panels);

}  // namespace star::cli
