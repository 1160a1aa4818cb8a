// Other arrangements of the same numbers, and sums. Views share memory where they can.
#pragma once

#include "autograd/tape.h"

namespace star::autograd {

Var reshape(const Var& x, const Shape& shape);  // copies first if x is not contiguous
Var permute(const Var& x, std::vector<int> order);
Var narrow(const Var& x, int axis, int64_t start, int64_t length);
Var flip(const Var& x, int axis);
Var concat(const Var& a, const Var& b, int axis);
Var sum(const Var& x, std::vector<int> axes, bool keep = false);
Var sum(const Var& x);  // of everything, shape []

}  // namespace star::autograd
