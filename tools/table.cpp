#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace star::cli {
size_t width_of(const std::string& text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void Table::add(std::vector<std::string> row) {
  for (auto& cell : row) cell = one_line(cell);
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<size_t> widths(rows_[0].size());
  for (auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string text;
  for (auto& row : rows_) {
    for (size_t i = 0; i + 1 < row.size(); ++i)
      text += std::string(widths[i] - width_of(row[i]), ' ') + row[i] + "  ";
    text += row.back() + "\n";
  }
  return text;
}

std::string fixed(double x, int digits) {
  return std::isnan(x) ? "-" : fmt::format("{:.{}f}", x, digits);
}

std::string percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:+.1f} %", 100 * share);
}

std::string probability(double p) {
  if (std::isnan(p)) return "-";
  return p < 1e-4 ? "<0.0001" : fmt::format("{:.4f}", p);
}

std::string plus_minus(double mean, double deviation, int digits) {
  return std::isnan(deviation) ? fixed(mean, digits)
                               : fmt::format("{:.{}f} ± {:.{}f}", mean, digits, deviation, digits);
}

}  // namespace star::cli
