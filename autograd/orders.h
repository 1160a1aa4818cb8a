// The orders in which a network with structure is contracted (autograd/contraction.h).
#pragma once

#include "autograd/machine.h"

namespace star {

// A node with its tensor, the functions with what is inside.
struct Factor {
  Node node;
  Operand operand;
  std::vector<Factor> inside;
};

// A network whose tensors are known, or their shapes.
struct BoundNetwork {
  Network network;
  std::vector<Factor> factors;
  int64_t rows = 0, columns = 0;  // places of i and of j
};

// Throws `Error` on tensors that do not fit.
BoundNetwork bind(const Network& network, const std::vector<Operand>& tensors);

enum class Algorithm {
  pairs,
  diagonal,
  scores,
  state,
  chunks,
  blocks,
  convolution,
  transform,
  gated_convolution,
  tiles,
  state_chunks
};

struct OrderChoice {
  Algorithm algorithm;
  int64_t size = 0;  // of chunks and blocks
  std::string name() const;
};

// The orders that compute this network.
std::vector<OrderChoice> possible_orders(const BoundNetwork& bound);

Operand run_order(Machine& machine, const BoundNetwork& bound, const OrderChoice& order);

}  // namespace star
