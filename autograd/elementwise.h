// Elementwise functions on the tape (core/elementwise.h) and arithmetic with broadcasting: shapes
// are aligned at their last axes, and an axis of size 1 stretches. Any strides; results contiguous.
#pragma once

#include "autograd/tape.h"

namespace star::autograd {

Var unary(Unary op, const Var& x);
Var binary(Binary op, const Var& a, const Var& b);
Var scale(const Var& x, double factor, double shift = 0);  // factor · x + shift

#define STAR_FUNCTION(name, functor) \
  inline Var name(const Var& x) { return unary(Unary::name, x); }
STAR_UNARY(STAR_FUNCTION)
#undef STAR_FUNCTION
#define STAR_FUNCTION(name, functor) \
  inline Var name(const Var& a, const Var& b) { return binary(Binary::name, a, b); }
STAR_BINARY(STAR_FUNCTION)
#undef STAR_FUNCTION

const char* name_of(Unary op);

// f(a) ⊙ b in one pass, of one shape.
Var gated(Unary f, const Var& a, const Var& b);

inline Var operator+(const Var& a, const Var& b) { return add(a, b); }
inline Var operator-(const Var& a, const Var& b) { return sub(a, b); }
inline Var operator*(const Var& a, const Var& b) { return mul(a, b); }
inline Var operator/(const Var& a, const Var& b) { return div(a, b); }
inline Var operator-(const Var& x) { return scale(x, -1); }

}  // namespace star::autograd
