// How often this thread has asked for memory with `new`: what a call costs beside its mathematics.
#pragma once

#include <cstdint>

namespace star {

int64_t allocations();

}  // namespace star
