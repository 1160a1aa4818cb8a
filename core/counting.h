// Sums and products of what is counted: `Error` where 64 bits do not hold them, never an overflow.
#pragma once

#include <cstdint>

#include "core/error.h"

namespace star {

// `what` is being counted.
inline int64_t counted_sum(const char* what, int64_t a, int64_t b) {
  int64_t sum = 0;
  require(!__builtin_add_overflow(a, b, &sum), "{}: {} + {} is too large", what, a, b);
  return sum;
}

inline int64_t counted_product(const char* what, int64_t a, int64_t b) {
  int64_t product = 0;
  require(!__builtin_mul_overflow(a, b, &product), "{}: {} x {} is too large", what, a, b);
  return product;
}

}  // namespace star
