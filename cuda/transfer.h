// Copies between the host's memory and the device's, by way of pinned memory: what is not pinned
// the driver copies twice, and the host waits.
#pragma once

#include <cstddef>

namespace star::cuda {

// Returns when the bytes are there. Throws `Error` while a graph is recorded.
void read(void* host, const void* device, size_t bytes);

// Returns when `host` may change again. The device receives the bytes before what is launched
// later; while a graph is recorded, each time that it runs.
void write(void* device, const void* host, size_t bytes);

}  // namespace star::cuda
