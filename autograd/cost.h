// What a contraction costs, in any order.
#pragma once

#include "core/rates.h"

namespace star {

struct Cost {
  double flops = 0;   // two a multiply-add
  double bytes = 0;   // read and written, 4 a number
  double memory = 0;  // bytes of results, which the gradient keeps
  int operations = 0;

  // What orders are compared by, in FLOPs.
  double time(const Rates& r) const { return flops + r.byte * bytes + r.operation * operations; }
  Cost& operator+=(const Cost& o) {
    flops += o.flops;
    bytes += o.bytes;
    memory += o.memory;
    operations += o.operations;
    return *this;
  }
};

}  // namespace star
