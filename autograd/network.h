// Tensor networks in Einstein's notation, with structure as nodes:
//   softmax(0.125,bihn,bjhn,[i>=j]),bjhv->bihv        attention
//   bihn,b[i..j]h,bjhn,bjhv->bihv                     a recurrence with a matrix state
//   bic,[i-j]c,bjc,bjc->bic                           a gated convolution
// One letter an axis; letters that the result lacks are summed. The nodes, as text:
//
//   bihn          a tensor
//   a:bihn        a tensor with a name; where the name stands again, it is the same tensor
//   0.125         a number
//   [i>=j]        1 where j ≤ i, 0 elsewhere: causal
//   [i>=j>i-64]   1 where i − 64 < j ≤ i: a causal band
//   [i=j]         1 where i = j: diagonal, a band of width 1
//   [i-j]c        Toeplitz: a tensor with an axis of lags, K_{i−j}; 0 where i < j and beyond it
//   [i-j<3]c      the same with 3 lags, at any number of tokens
//   b[i..j]h      decay: a tensor with an axis of tokens, Π_{t=j+1..i} a_t; 0 where i < j
//   relu(…)       a function of the entries of the network inside, where letters that nothing
//                 outside has are summed first: one of core/elementwise.h, or softmax over the
//                 visible j
//   [i..t..j]exp(btc,nc)            decay by a function: Π_{t=j+1..i} exp(…)_t; 0 where i < j
//   [i..t..j]delta(bthn,bth,bth)m   transitions by the delta rule of a key k, a strength w and a
//                 decay a: M_i M_{i−1} … M_{j+1} with M_t = (1 − w_t k_t k_tᵀ) a_t, a matrix of the
//                 letter n that the key alone has, and the column m; 0 where i < j. The decay has
//                 the letters of the strength, or those of the key, of which it is then the diagonal
//                 matrix Diag(a_t); exp(bthn) in its place gives it by its logarithm
//
// A network has one pair (i, j), whatever its letters: i reads, j writes. Where there are more j
// than i, the i are the last of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/elementwise.h"

namespace star::autograd {

struct Node {
  enum class Kind { tensor, number, band, toeplitz, decay, delta, function };
  static constexpr char kTokens = '.';  // in `axes`, the axis of lags or of decays
  static constexpr int64_t kCausal = INT64_MAX;

  Kind kind = Kind::tensor;
  std::string axes = {};     // of its tensor, a letter each; of delta, those of its matrices
  int tensor = -1;           // which of the tensors given; −1: none
  int64_t window = kCausal;  // band; toeplitz: the lags, if they are stated
  double number = 1;         // number
  std::optional<Unary> function = {};  // function: of single entries; none: a softmax
  char along = 0;                      // t of decay by a function, and of delta
  std::vector<Node> inside = {};       // function; decay by one: that function; delta: k, w, a

  bool is_softmax() const { return kind == Kind::function && !function; }
};

struct Network {
  std::string text;
  std::vector<Node> nodes;
  std::string result;
  int tensors = 0;
  char read = 0, write = 0;  // the pair (i, j); 0 without structure
  char chunk = 0;            // a letter that the network does not use
};

inline bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

// Throws `Error` that names the network and the place: what it cannot read, a letter that stands
// twice in a factor or in the result, a letter of the result that no factor has, a second pair.
Network parse_network(const std::string& text);

}  // namespace star::autograd
