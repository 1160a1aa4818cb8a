#include "core/quantized.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

template <class T>
void quantize_row(int64_t n, const T* x, int8_t* row) {
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    require(std::isfinite(x[i]), "quantized: {} is no number", x[i]);
    largest = std::max(largest, std::abs(double(x[i])));
  }
  const float scale = float(largest / 127);
  std::memcpy(row, &scale, kScaleBytes);
  for (int64_t i = 0; i < n; ++i)
    row[kScaleBytes + i] = int8_t(largest > 0 ? std::lround(double(x[i]) / largest * 127) : 0);
}

}  // namespace

Tensor quantized(Exec& exec, const Tensor& matrix) {
  require(matrix.rank() == 2 && matrix.contiguous(), "quantized: {} is no matrix", matrix.shape());
  const int64_t rows = matrix.size(0), n = matrix.size(1), bytes = quantized_bytes(n);
  std::vector<int8_t> out(size_t(rows * bytes), 0);
  dispatch(matrix.dtype(), [&]<class T>() {
    const HostView<T> x(matrix);
    for (int64_t r = 0; r < rows; ++r) quantize_row(n, x.data() + r * n, out.data() + r * bytes);
  });
  Tensor t = exec.empty({rows, bytes}, DType::i8);
  t.assign(out);
  return t;
}

}  // namespace star
