// A training curve.
#pragma once

#include <cstdint>

namespace star::synthesis {

struct CurvePoint {
  int64_t step = 0;  // from 1
  double loss = 0;   // of the training batches since the point before, nats a target
  bool operator==(const CurvePoint&) const = default;
};

}  // namespace star::synthesis
