// The singular values of a small dense matrix, and the rank that they show.
#pragma once

#include <cstdint>
#include <vector>

namespace star::liv {

// By columns: columns[j][i] is the entry (i, j).
using Columns = std::vector<std::vector<double>>;

// The singular values that rounding lets one see, the largest first, each to about 1e-15 of the
// largest. By one-sided Jacobi rotations on the rows of R of a QR factorisation with column
// pivoting, which holds their number down to the rank (Drmač and Veselić, "New fast and accurate
// Jacobi SVD algorithm", 2008).
std::vector<double> singular_values(Columns a);

// How many singular values exceed `threshold` times the largest.
int64_t numerical_rank(Columns a, double threshold);

}  // namespace star::liv
