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

// X(algorithm, its name with the size)
#define STAR_ALGORITHMS(X)                  \
  X(pairs, "pairs")                         \
  X(diagonal, "diagonal")                   \
  X(scores, "scores")                       \
  X(state, "state")                         \
  X(chunks, "chunks of {}")                 \
  X(blocks, "blocks of {}")                 \
  X(convolution, "convolution")             \
  X(transform, "transform")                 \
  X(gated_convolution, "gated convolution") \
  X(tiles, "tiles")                         \
  X(state_chunks, "state in chunks of {}")

enum class Algorithm {
#define STAR_ITEM(id, text) id,
  STAR_ALGORITHMS(STAR_ITEM)
#undef STAR_ITEM
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
