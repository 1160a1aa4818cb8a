// Elementwise mathematics, once: each function with its derivative, written over a number type V
// that is float, double or a SIMD register. The list expands to the loops of each backend, the
// nodes of the tape and the cases of the gradient check.
#pragma once

#include <cmath>

#include "core/host_device.h"

namespace star::elementwise {

// For scalars; SIMD registers bring their own by argument-dependent lookup.
template <class T>
STAR_HOST_DEVICE inline T select(bool condition, T a, T b) {
  return condition ? a : b;
}
template <class T>
STAR_HOST_DEVICE inline T larger(T a, T b) {
  return select(a > b, a, b);
}

// Each has f(x) and df(x, y), the derivative at x given y = f(x).
struct Exp {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::exp;
    return exp(x);
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V, V y) {
    return y;
  }
};

struct Log {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::log;
    return log(x);
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V) {
    return V(1) / x;
  }
};

struct Square {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    return x * x;
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V) {
    return x + x;
  }
};

struct Sqrt {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::sqrt;
    return sqrt(x);
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V, V y) {
    return V(0.5) / y;
  }
};

struct Sin {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::sin;
    return sin(x);
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V) {
    using std::cos;
    return cos(x);
  }
};

struct Sigmoid {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::exp;
    return V(1) / (V(1) + exp(-x));
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V, V y) {
    return y * (V(1) - y);
  }
};

// x σ(x), also called swish.
struct Silu {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    return x * Sigmoid::f(x);
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V y) {
    V s = Sigmoid::f(x);
    return s + y * (V(1) - s);
  }
};

struct Relu {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    return larger(x, V(0));
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V) {
    return select(x > V(0), V(1), V(0));
  }
};

// log(1 + exp x), without overflow.
struct Softplus {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::exp;
    using std::log1p;
    return larger(x, V(0)) + log1p(exp(-larger(x, -x)));
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V) {
    return Sigmoid::f(x);
  }
};

// elu(x) + 1: x + 1 above 0, exp x below. Not expm1(x) + 1, which loses small values.
struct EluPlusOne {
  template <class V>
  STAR_HOST_DEVICE static V f(V x) {
    using std::exp;
    return select(x > V(0), x + V(1), V(exp(x)));
  }
  template <class V>
  STAR_HOST_DEVICE static V df(V x, V y) {
    return select(x > V(0), V(1), y);
  }
};

struct Add {
  template <class V>
  STAR_HOST_DEVICE static V f(V a, V b) {
    return a + b;
  }
};
struct Sub {
  template <class V>
  STAR_HOST_DEVICE static V f(V a, V b) {
    return a - b;
  }
};
struct Mul {
  template <class V>
  STAR_HOST_DEVICE static V f(V a, V b) {
    return a * b;
  }
};
struct Div {
  template <class V>
  STAR_HOST_DEVICE static V f(V a, V b) {
    return a / b;
  }
};

}  // namespace star::elementwise

// X(name of the tape's function, functor)
#define STAR_UNARY(X)   \
  X(exp, Exp)           \
  X(log, Log)           \
  X(square, Square)     \
  X(sqrt, Sqrt)         \
  X(sin, Sin)           \
  X(sigmoid, Sigmoid)   \
  X(silu, Silu)         \
  X(relu, Relu)         \
  X(softplus, Softplus) \
  X(elu_plus_one, EluPlusOne)

#define STAR_BINARY(X) \
  X(add, Add)          \
  X(sub, Sub)          \
  X(mul, Mul)          \
  X(div, Div)

namespace star {

enum class Unary {
#define STAR_ITEM(name, functor) name,
  STAR_UNARY(STAR_ITEM)
};
enum class Binary { STAR_BINARY(STAR_ITEM) };
#undef STAR_ITEM

// Calls f with the functor of `op`.
template <class F>
void with_unary(Unary op, const F& f) {
  switch (op) {
#define STAR_CASE(name, functor) \
  case Unary::name:              \
    return f(elementwise::functor());
    STAR_UNARY(STAR_CASE)
#undef STAR_CASE
  }
}
template <class F>
void with_binary(Binary op, const F& f) {
  switch (op) {
#define STAR_CASE(name, functor) \
  case Binary::name:             \
    return f(elementwise::functor());
    STAR_BINARY(STAR_CASE)
#undef STAR_CASE
  }
}

}  // namespace star
