// Words for the digits of operators and feature groups (star/README.md). Genomes, pool files and
// run files keep the digit; code says the word. The value of a word is its digit.
#pragma once

namespace star {

// Of an operator: how T mixes tokens, and where its entries may lie.
enum class Mixing { diagonal = 1, low_rank, toeplitz, semi_separable };
enum class Sparsity { none = 1, banded };
// What is done to the entries of T: divided by the number of keys, a softmax over the row, …;
// `normalised` divides by the sum of the row.
enum class Entries { linear = 1, softmax, relu, silu, normalised };
enum class Channels { diagonal = 1, dense, grouped };

// Of a feature group: the map from the channels of x, what looks along the tokens, how many
// channels come out (the width times …; `states` of width 1), and the function behind it.
enum class Projection { diagonal = 1, dense, a_head, low_rank };
enum class Along { nothing = 1, convolution = 3, implicit_filter };
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
  sigmoid
};

}  // namespace star
