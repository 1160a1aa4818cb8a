// Tensor networks in Einstein's notation, with structure as nodes:
//   softmax(0.125,bihn,bjhn,[i>=j]),bjhv->bihv        attention
//   bihn,b[i..j]h,bjhn,bjhv->bihv                     a recurrence with a matrix state
//   bic,[i-j]c,bjc->bic                               a gated convolution
// One letter an axis; letters that the result lacks are summed. The nodes:
//   bihn          a tensor
//   0.125         a number
//   [i>=j]        1 where j ≤ i, 0 elsewhere: causal
//   [i>=j>i-64]   1 where i − 64 < j ≤ i: a causal band
//   [i=j]         1 where i = j: diagonal, a band of width 1
//   [i-j]c        Toeplitz: a tensor with an axis of lags, K_{i−j}; 0 where i < j and beyond the
//   axis b[i..j]h      decay: a tensor with an axis of tokens, Π_{k=j+1..i} a_k; 0 where i < j
//   softmax(…)    a function of the entries of the network inside, where letters that nothing
//                 outside has are summed first; softmax over the visible j, relu, silu
// A network has one pair (i, j), whatever its letters: i reads, j writes. Where there are more j
// than i, the i are the last of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace star {

struct Node {
  enum class Kind { tensor, number, band, toeplitz, decay, function };
  enum class Function { softmax, relu, silu };
  static constexpr char kTokens = '.';  // in `axes`, the axis of lags or of decays
  static constexpr int64_t kCausal = INT64_MAX;

  Kind kind = Kind::tensor;
  std::string axes = {};          // of its tensor, a letter each; tensor, toeplitz, decay
  int64_t window = kCausal;       // band
  double number = 1;              // number
  Function function = {};         // function
  std::vector<Node> inside = {};  // function
};

struct Network {
  std::string text;
  std::vector<Node> nodes;
  std::string result;
  char read = 0, write = 0;  // the pair (i, j); 0 without structure
  char chunk = 0;            // a letter that the network does not use
};

// Throws `Error` that names the network and the place: what it cannot read, a letter that stands
// twice in a factor or in the result, a letter of the result that no factor has, a second pair.
Network parse_network(const std::string& text);

}  // namespace star
