#include "tests/cpu/cases.h"

using namespace star;

namespace {

struct ConvShape {
  int64_t batch, length, channels, taps;
};
// Short kernels (up to eight taps) and long ones, around the tiles of eight, as long as the
// sequence and longer, over channels around the registers; none of each; enough for many tasks.
std::vector<ConvShape> conv_shapes() {
  std::vector<ConvShape> all;
  for (int64_t channels : kAwkward) {
    all.push_back({2, 9, channels, 4});
    all.push_back({1, 17, channels, 11});
  }
  for (int64_t length : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33})
    for (int64_t taps : {1, 3, 8, 9, 16, 17, 33}) all.push_back({2, length, 3, taps});
  for (ConvShape more : {ConvShape{0, 5, 3, 4},
                         {0, 5, 3, 20},
                         {2, 0, 3, 4},
                         {2, 0, 3, 20},
                         {2, 5, 0, 4},
                         {2, 5, 0, 20},
                         {1, 129, 33, 128},
                         {2, 128, 31, 129},
                         {3, 127, 70, 5},
                         {1, 260, 18, 260},
                         {2, 700, 33, 3}})
    all.push_back(more);
  return all;
}

// By the kernel given: both methods compute the same sums.
template <class T, class Kernel>
void check_conv(Session<T>& s, Kernel kernel) {
  for (auto [batch, length, channels, taps] : conv_shapes())
    for (bool transpose : {false, true}) {
      CAPTURE(batch);
      CAPTURE(length);
      CAPTURE(channels);
      CAPTURE(taps);
      CAPTURE(transpose);
      int64_t n = batch * length * channels;
      Array<T> x = s.random(n), k = s.random(taps * channels), y(n);
      kernel(s.exec, {batch, length, channels, taps, transpose, x, k, y});
      s.near(y, [&] {
        Doubles expected;
        for (int64_t i = 0; i < n; ++i) {
          int64_t c = i % channels, t = i / channels % length;
          double sum = 0;
          for (int64_t tau = 0; tau < taps; ++tau) {
            int64_t shift = transpose ? tau : -tau;
            if (t + shift < 0 || t + shift >= length) continue;
            sum += double(k[tau * channels + c]) * double(x[i + shift * channels]);
          }
          expected.push_back(sum);
        }
        return expected;
      });
    }
}

template <class T, class Kernel>
void check_kernel_grad(Session<T>& s, Kernel kernel) {
  for (auto [batch, length, channels, taps] : conv_shapes()) {
    CAPTURE(batch);
    CAPTURE(length);
    CAPTURE(channels);
    CAPTURE(taps);
    int64_t n = batch * length * channels;
    Array<T> x = s.random(n), dy = s.random(n), dk(taps * channels);
    kernel(s.exec, {batch, length, channels, taps, x, dy, dk});
    s.near(dk, [&] {
      Doubles expected(size_t(taps * channels), 0.0);
      for (int64_t i = 0; i < n; ++i) {
        int64_t c = i % channels, t = i / channels % length;
        for (int64_t tau = 0; tau < std::min(taps, t + 1); ++tau)
          expected[size_t(tau * channels + c)] += double(dy[i]) * double(x[i - tau * channels]);
      }
      return expected;
    });
  }
}

}  // namespace

KERNEL_CASE(conv) { check_conv(s, s.kernels().conv); }
KERNEL_CASE(conv_kernel_grad) { check_kernel_grad(s, s.kernels().conv_kernel_grad); }
KERNEL_CASE(conv_fourier) { check_conv(s, s.kernels().conv_fourier); }
KERNEL_CASE(conv_fourier_kernel_grad) {
  check_kernel_grad(s, s.kernels().conv_fourier_kernel_grad);
}
