// Copies within the device, and between the host's memory and the device's. Those go by way of
// pinned memory, of each thread its own: what is not pinned the driver copies twice, and the host
// waits.
#pragma once

#include <cstddef>

namespace star::cuda {

// Returns when the bytes are there. Throws `Error` while a graph is recorded.
void read(void* host, const void* device, size_t bytes);

// Returns when `host` may change again. The device receives the bytes before what is launched
// later; while a graph is recorded, each time that it runs.
void write(void* device, const void* host, size_t bytes);

// From one place of the device to another, in the order of launches. The places are apart.
void move(void* to, const void* from, size_t bytes);

}  // namespace star::cuda
