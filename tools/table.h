// A table of text for people.
#pragma once

#include <string>
#include <vector>

namespace star::cli {

// Characters, of which UTF-8 begins each with a byte of another form than those that follow.
size_t width_of(const std::string& text);

// Rows of cells under a head; every column as wide as its widest cell, all flush right but the
// last.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  // As many cells as the head has.
  void add(std::vector<std::string> row);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "-" for what is not a number.
std::string fixed(double x, int digits);
std::string percent(double share);                                  // "+12.3 %"
std::string probability(double p);                                  // "0.0123", "<0.0001"
std::string plus_minus(double mean, double deviation, int digits);  // "1.234 ± 0.012"

}  // namespace star::cli
