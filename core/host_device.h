// Marks a function that a kernel on a device may call.
#pragma once

#if defined(__CUDACC__)
#define STAR_HOST_DEVICE __host__ __device__
#else
#define STAR_HOST_DEVICE
#endif
