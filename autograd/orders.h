// The orders in which a network is contracted (autograd/contraction.h), one row each.
#pragma once

#include "autograd/binding.h"
#include "autograd/state.h"

namespace star::autograd {

struct Order {
  const char* name;  // "chunks of {}", with the place of its size

  // The sizes with which it fits this network on a backend with these rates: none if it does not
  // fit, {0} if it has no size.
  std::vector<int64_t> (*match)(const BoundNetwork& bound, const Rates& rates);

  // Its operations, which are what it costs and how it is run.
  Operand (*program)(Machine& machine, const BoundNetwork& bound, int64_t size);

  // How it goes on token by token, for a network that it fits at any sizes: a function of the
  // tensors of the tokens that are new and of the state that those before have left. Null where
  // an order carries nothing on.
  using Step = std::function<Var(std::span<const Var> tensors, State& state)>;
  Step (*step)(const BoundNetwork& without_shapes) = nullptr;

  std::string name_with(int64_t size) const;
};

// What an order without a size gives as its match.
std::vector<int64_t> fits(bool does);

// All orders; of those that cost the same the planner takes the first.
const std::vector<Order>& all_orders();

// Made of small operations (composed_orders.cpp).
std::vector<Order> composed_orders();

// One kernel each: a network that has their pattern is contracted in a single step. The composed
// orders compute the same, and judge them in the tests.
extern const Order kGatedProduct, kGatedConvolution;        // fused_products.cpp
extern const Order kTiles, kStateInChunks, kDeltaInChunks;  // fused_heads.cpp
extern const Order kGatedScan, kSelectiveScan;              // fused_scans.cpp

}  // namespace star::autograd
