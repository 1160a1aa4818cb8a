// Words for the digits of operators and feature groups (star/README.md). Genomes, pool files and
// run files keep the digit; code says the word. The value of a word is its digit.
#pragma once

#include "liv/entries.h"

namespace star::liv {

// Of an operator: how T mixes tokens, and where its entries may lie; what is done to them is
// `Entries`.
enum class Mixing { diagonal = 1, low_rank, toeplitz, semi_separable };
enum class Sparsity { none = 1, banded };
enum class Channels { diagonal = 1, dense, grouped };

// Of a feature group: the map from the channels of x, what looks along the tokens, how many
// channels come out (the width times …; `states` of width 1), and the function behind it.
enum class Projection { diagonal = 1, dense, a_head, low_rank };
enum class Along {
  nothing = 1,
  convolution_of_3 = 3,
  implicit_filter,
  convolution_of_4,
  convolution_of_7,
  convolution_of_15
};
enum class Expansion { one = 1, two, four, eight_thirds, sixteen, half };
enum class Activation {
  none = 1,
  softmax,
  relu,
  silu,
  softplus_with_bias,
  sigmoid_with_bias,
  elu_plus_one,
  unit_length,
  sigmoid,
  twice_sigmoid,
  sigmoid_root_with_bias,
  unit_rms
};

}  // namespace star::liv
