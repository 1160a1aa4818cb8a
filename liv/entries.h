// What is done to the entries of T, a row each. All else follows from the row: the network that is
// contracted, T(x) by its definition, where it is legal, what decoding keeps, certificates.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "core/error.h"

namespace star {

// The value of a word is its digit (liv/digits.h).
enum class Entries { linear = 1, softmax, relu, silu, normalised };

// Beside the sum of a row that is divided by it.
inline constexpr double kNormaliserFloor = 1e-6;

struct EntriesRow {
  Entries entries;
  // What stands around the scores in the network (autograd/network.h): a softmax, or a function of
  // core/elementwise.h. Null: nothing does, and T(x) v stays linear in the keys.
  const char* function;
  // Whether a row of T is divided by its sum; if not, by the number of keys that it sees.
  bool normalises;
  // The definition: the scores of the keys that one token sees become its row of T.
  void (*row)(std::span<double> scores);
};

namespace entries {

template <class F>
void mean_of(std::span<double> scores, const F& function) {
  for (double& s : scores) s = function(s) / double(scores.size());
}
template <class F>
void share_of(std::span<double> scores, const F& function, double floor = 0) {
  double total = 0;
  for (double& s : scores) total += s = function(s);
  for (double& s : scores) s /= total + floor;
}

inline double same(double s) { return s; }
inline void linear(std::span<double> row) { mean_of(row, same); }
inline void softmax(std::span<double> row) {
  const double most = *std::max_element(row.begin(), row.end());
  share_of(row, [=](double s) { return std::exp(s - most); });
}
inline void relu(std::span<double> row) {
  mean_of(row, [](double s) { return std::max(s, 0.0); });
}
inline void silu(std::span<double> row) {
  mean_of(row, [](double s) { return s / (1 + std::exp(-s)); });
}
inline void normalised(std::span<double> row) { share_of(row, same, kNormaliserFloor); }

}  // namespace entries

// By their digits.
inline constexpr EntriesRow kEntries[] = {
    {.entries = Entries::linear, .function = nullptr, .normalises = false, .row = entries::linear},
    {.entries = Entries::softmax,
     .function = "softmax",
     .normalises = true,
     .row = entries::softmax},
    {.entries = Entries::relu, .function = "relu", .normalises = false, .row = entries::relu},
    {.entries = Entries::silu, .function = "silu", .normalises = false, .row = entries::silu},
    {.entries = Entries::normalised,
     .function = nullptr,
     .normalises = true,
     .row = entries::normalised},
};

// Throws `Error` for a digit that has no row.
inline const EntriesRow& row_of(Entries entries) {
  for (const EntriesRow& row : kEntries)
    if (row.entries == entries) return row;
  fail("nonlinearity {} on the entries of T is unknown", int(entries));
}

// T(x) v is linear in the keys, if not in what its rows are divided by: it is a recurrence, too.
inline bool linear_in_keys(Entries entries) { return !row_of(entries).function; }

// Scores are products of kernels, φ(q)·φ(k), and a row is divided by their sum: of all that a token
// sees, two sums are kept in place of its keys and values.
inline bool kernel_normalised(Entries entries) {
  return linear_in_keys(entries) && row_of(entries).normalises;
}

}  // namespace star
