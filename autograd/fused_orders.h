// Orders that are one kernel: a network that has their pattern is contracted in a single step. The
// orders made of small steps compute the same, and judge them in the tests.
#pragma once

#include "autograd/orders.h"

namespace star {

std::vector<OrderChoice> fused_orders(const BoundNetwork& bound);

// One of them.
Operand run_fused(Machine& machine, const BoundNetwork& bound, const OrderChoice& order);

}  // namespace star
