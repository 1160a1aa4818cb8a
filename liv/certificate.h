// Structure certificates: what the digits of a class claim of T(x), checked on its numbers rather
// than on the code that made them (liv/README.md).
#pragma once

#include <string>
#include <vector>

#include "liv/operator.h"

namespace star::liv {

struct Check {
  std::string name;
  std::string of = "T";  // the map judged; T0 or T1 where it is a part of a differential one
  double value = 0, bound = 0;
  bool pass() const { return value <= bound; }  // not if it is no number
};

// max|a − b| / max|b|, or over a scale that is larger; infinite where the sizes differ or a number
// is none.
double relative_error(const std::vector<double>& a, const std::vector<double>& b, double scale = 0);

// How far two computations of one thing may differ in this precision.
double agreement(DType dtype);

// An operator on one sequence, as numbers; or a part of it, which has no y of its own.
struct Evidence {
  DenseCore core;                       // T(x), D and the gate z included; or T₀(x), T₁(x)
  DenseCore scores;                     // low-rank: of all pairs, before mask and nonlinearity
  std::vector<double> read, write;      // Toeplitz: what scales rows and columns, [L][rows]
  std::vector<double> dense, parallel;  // y as W_o (T v), and as training computes it: [L][d]
};

struct Testimony {
  Evidence whole;
  std::vector<Evidence> parts;  // T₀ and T₁ of a differential operator, none of another
};

// x [1, L, d], weights in double precision.
Testimony gather(const Operator& op, const Weights& weights, const Var& x);

// The claims of the class, measured; on the right the bound, and who makes the claim. Of a
// differential operator both parts and their difference are judged: the rank of a difference is
// that of two, and it has neither scores nor scalings of its own.
//   causality             largest |T_ij| with j > i                      0
//   diagonal              largest |T_ij| with j ≠ i                      0: token mixing 1
//   band                  largest |T_ij| outside of the band             0: banded, 3 taps
//   score rank            rank of the scores                             e: token mixing 2
//   semi-separable order  largest rank of the blocks T[i:, :i]           N or e: 4; 2 without σ
//   Toeplitz              deviation along diagonals, scalings removed    1e-10: token mixing 3
//   residual              relative error of the parallel view            1e-10
// Zeros are exact: nothing is computed there. A singular value counts for a rank if it exceeds
// 1e-10 of the largest: rounding leaves about 1e-14, and a claim that is wrong leaves more.
std::vector<Check> certify(const Layout& layout, const Testimony& testimony);

// The ranks of the blocks T[i:, :i] of a row, i = 1 … L − 1, counted as `certify` counts: what has to be
// kept of the tokens before i for those after, in numbers a channel.
std::vector<int64_t> cut_ranks(const DenseCore& T, int64_t row);

// The shortest sequence on which every claim can fail.
int64_t least_length(const Layout& layout);

}  // namespace star::liv
