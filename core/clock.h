// The monotonic clock, for durations.
#pragma once

#include <chrono>

namespace star {

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace star
