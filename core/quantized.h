// Matrices in eight bits. A row is its scale, a float, then whole numbers of so many scales each, from
// −127 to 127, filled up to whole words. The scale is the largest magnitude of the row over 127, so
// that a number is off by half a scale at most (row-wise absmax quantisation, as in Dettmers et al.,
// "LLM.int8()", 2022, arXiv 2208.07339, section 2).
#pragma once

#include <cstring>

#include "core/exec.h"
#include "core/host_device.h"

namespace star {

inline constexpr int64_t kScaleBytes = sizeof(float);

// Bytes of a row of n numbers.
STAR_HOST_DEVICE constexpr int64_t quantized_bytes(int64_t n) {
  return kScaleBytes + (n + 3) / 4 * 4;
}

// What one of a row's numbers is worth.
inline float quantized_scale(const int8_t* row) {
  float scale;
  std::memcpy(&scale, row, kScaleBytes);
  return scale;
}

// The rows of a contiguous matrix [rows, n] of a floating type, as int8 [rows, quantized_bytes(n)].
// Throws `Error` where it holds what is no number.
Tensor quantized(Exec& exec, const Tensor& matrix);

}  // namespace star
