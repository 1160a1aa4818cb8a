#include "tools/picture.h"

#include <png.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/file.h"
#include "core/host_device.h"

namespace star::cli {
namespace {

constexpr Colour kPaper = {255, 255, 255}, kLine = {0, 0, 0};

// Linear between stops, from 0 to 1.
constexpr std::array<Colour, 4> kPositive = {
    {{255, 255, 255}, {250, 175, 130}, {214, 60, 50}, {140, 0, 30}}};
constexpr std::array<Colour, 4> kNegative = {
    {{255, 255, 255}, {150, 200, 230}, {45, 115, 185}, {10, 55, 135}}};

Colour colour_of(double x) {
  const auto& stops = x < 0 ? kNegative : kPositive;
  double at = std::min(std::abs(x), 1.0) * double(stops.size() - 1);
  size_t low = std::min(size_t(at), stops.size() - 2);
  Colour c;
  for (size_t i = 0; i < 3; ++i)
    c[i] = uint8_t(std::lround(stops[low][i] +
                               (at - double(low)) * (stops[low + 1][i] - double(stops[low][i]))));
  return c;
}

}  // namespace

Colour colour_of_entry(double x, double scale) {
  if (x == 0) return kAbsent;
  double strength = 1 + std::log10(std::abs(x) / scale) / kDecades;
  return colour_of(std::copysign(std::clamp(strength, 0.0, 1.0), x));
}

double scale_of(const DenseCore& m, int64_t r) {
  std::vector<double> off, on;
  for (int64_t i = 0; i < m.length; ++i)
    for (int64_t j = 0; j < m.length; ++j)
      if (m.at(r, i, j) != 0) (i == j ? on : off).push_back(std::abs(m.at(r, i, j)));
  std::vector<double>& sizes = off.empty() ? on : off;
  if (sizes.empty()) return 1;
  auto at = sizes.begin() + int64_t(sizes.size() - 1) * 99 / 100;
  std::nth_element(sizes.begin(), at, sizes.end());
  return *at;
}

Picture::Picture(int64_t width, int64_t height) : width_(width), height_(height) {
  require(width < 1 << 15 && height < 1 << 15,
          "picture: {} × {} pixels are too many; show fewer panels", width, height);
  pixels_.resize(size_t(3 * width * height), kPaper[0]);
}

void Picture::fill(int64_t x, int64_t y, int64_t width, int64_t height, const Colour& c) {
  for (int64_t v = y; v < y + height; ++v)
    for (int64_t u = x; u < x + width; ++u)
      std::copy(c.begin(), c.end(), pixels_.begin() + 3 * (v * width_ + u));
}

std::string Picture::png() const {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = png_uint_32(width_);
  image.height = png_uint_32(height_);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string file(bytes, 0);
  bool done =
      png_image_write_to_memory(&image, file.data(), &bytes, 0, pixels_.data(), 0, nullptr) != 0;
  require(done, "picture: {}", image.message);
  file.resize(bytes);
  return file;
}

void draw_matrix(Picture& picture, int64_t x, int64_t y, int64_t cell, const DenseCore& m,
                 int64_t row, double scale) {
  for (int64_t i = 0; i < m.length; ++i)
    for (int64_t j = 0; j < m.length; ++j)
      picture.fill(x + j * cell, y + i * cell, cell, cell, colour_of_entry(m.at(row, i, j), scale));
}

std::vector<int64_t> chosen_rows(int64_t rows, int64_t count) {
  count = std::min(count, rows);
  std::vector<int64_t> chosen;
  for (int64_t p = 0; p < count; ++p)
    chosen.push_back(count > 1 ? p * (rows - 1) / (count - 1) : 0);
  return chosen;
}

void draw_matrices(const std::string& path, const DenseCore& m, int64_t panels) {
  constexpr int64_t kPanel = 256, kGap = 10;
  const std::vector<int64_t> rows = chosen_rows(m.rows, panels);
  const int64_t count = int64_t(rows.size()),
                per_line = int64_t(std::ceil(std::sqrt(double(count)))),
                lines = blocks_of(count, per_line);
  const int64_t cell = std::max<int64_t>(1, kPanel / m.length), side = cell * m.length + 2,
                step = side + kGap;
  Picture picture(per_line * step + kGap, lines * step + kGap);
  for (int64_t p = 0; p < count; ++p) {
    const int64_t left = kGap + p % per_line * step, top = kGap + p / per_line * step;
    picture.fill(left, top, side, side, kLine);
    draw_matrix(picture, left + 1, top + 1, cell, m, rows[size_t(p)], scale_of(m, rows[size_t(p)]));
  }
  write_file(path, std::array{std::string_view(picture.png())});
}

}  // namespace star::cli
