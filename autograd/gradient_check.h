// Gradients against central differences.
#pragma once

#include <functional>

#include "autograd/tape.h"

namespace star::autograd {

// The largest |analytic − numeric| over all inputs, relative to the largest numeric entry (at least
// 1e-3). `f` maps float64 leaves to one value of any shape; its entries are weighted at random and
// summed. In exact arithmetic the difference quotient is off by O(step²). The primitives whose
// gradients ran join `differentiated`.
double gradient_error(Exec& exec, const std::function<Var(Tape&, const std::vector<Var>&)>& f,
                      std::vector<Tensor> inputs, double step = 1e-5,
                      std::bitset<kPrimitives>* differentiated = nullptr);

}  // namespace star::autograd
