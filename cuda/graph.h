// CUDA graphs: launches that are recorded once and run again as one.
#pragma once

#include <cstddef>

#include "core/exec.h"

namespace star::cuda {

extern const DeviceGraphs kGraphs;

// Whether this thread records a graph.
bool recording();

// Pinned memory that lives as long as the graph in record: what the host writes to the device is
// part of the graph.
void* keep_in_graph(const void* host, size_t bytes);

}  // namespace star::cuda
