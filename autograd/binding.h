// A network with the tensors that stand in it.
#pragma once

#include "autograd/machine.h"

namespace star {

// A node with its tensor, the functions and products with what is inside.
struct Factor {
  Node node;
  Operand operand;
  std::vector<Factor> inside;
};

// A network whose tensors have shapes.
struct BoundNetwork {
  Network network;
  std::vector<Factor> factors;
  int64_t rows = 0, columns = 0;  // places of i and of j
};

// Throws `Error` on shapes that do not fit.
BoundNetwork bind(const Network& network, std::span<const Shape> shapes);

// Letters alone: what the algorithm is recognised by where the sizes do not matter.
BoundNetwork without_shapes(const Network& network);

// The letters of a factor's tensors, inside too.
std::string letters_of(const Factor& factor);

// The factors of a list by their kinds, numbers multiplied.
struct Kinds {
  std::vector<Operand> tensors, kernels;
  std::vector<const Factor*> decays, deltas, functions;
  double number = 1;
  int64_t window = Node::kCausal;  // of the narrowest band
  bool band = false;

  explicit Kinds(const std::vector<Factor>& factors);
  // So many tensors, kernels, decays and functions, and no delta.
  bool are(size_t tensors, size_t kernels, size_t decays, size_t functions) const;
};

}  // namespace star
