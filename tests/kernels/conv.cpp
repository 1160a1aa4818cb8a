#include "tests/kernels/cases.h"

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
      kernel(s.exec, {.batch = batch,
                      .length = length,
                      .channels = channels,
                      .taps = taps,
                      .transpose = transpose,
                      .x = x,
                      .k = k,
                      .y = y});
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
    kernel(s.exec, {.batch = batch,
                    .length = length,
                    .channels = channels,
                    .taps = taps,
                    .x = x,
                    .dy = dy,
                    .dk = dk});
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

namespace {

// y_t = c_t Σ_τ k_τ b_{t−τ} v_{t−τ} and, with dy, its gradients, a term at a time.
struct GatedConvValues {
  Doubles c, b, v, k;
};
GatedConvValues naive_gated_conv(const ConvShape& z, const GatedConvValues& x, const Doubles* dy,
                                 Doubles* y) {
  GatedConvValues g{Doubles(x.c.size()), Doubles(x.b.size()), Doubles(x.v.size()),
                    Doubles(x.k.size())};
  for (size_t i = 0; i < x.c.size(); ++i) {
    int64_t t = int64_t(i) / z.channels % z.length;
    for (int64_t tau = 0; tau < std::min(z.taps, t + 1); ++tau) {
      size_t j = i - size_t(tau * z.channels);
      size_t k = size_t(tau * z.channels) + i % size_t(z.channels);
      if (y) (*y)[i] += x.c[i] * x.k[k] * x.b[j] * x.v[j];
      if (!dy) continue;
      g.c[i] += (*dy)[i] * x.k[k] * x.b[j] * x.v[j];
      g.b[j] += (*dy)[i] * x.c[i] * x.k[k] * x.v[j];
      g.v[j] += (*dy)[i] * x.c[i] * x.k[k] * x.b[j];
      g.k[k] += (*dy)[i] * x.c[i] * x.b[j] * x.v[j];
    }
  }
  return g;
}

}  // namespace

KERNEL_CASE(gated_conv) {
  for (const ConvShape& z : conv_shapes()) {
    CAPTURE(z.batch);
    CAPTURE(z.length);
    CAPTURE(z.channels);
    CAPTURE(z.taps);
    int64_t n = z.batch * z.length * z.channels;
    Array<T> c = s.random(n), b = s.random(n), v = s.random(n), k = s.random(z.taps * z.channels);
    Array<T> y(n);
    s.kernels().gated_conv(s.exec, {.batch = z.batch,
                                    .length = z.length,
                                    .channels = z.channels,
                                    .taps = z.taps,
                                    .c = c,
                                    .b = b,
                                    .v = v,
                                    .k = k,
                                    .y = y});
    s.near(y, [&] {
      Doubles expected(size_t(n), 0.0);
      naive_gated_conv(z, {c.doubles(), b.doubles(), v.doubles(), k.doubles()}, nullptr, &expected);
      return expected;
    });
  }
}

KERNEL_CASE(gated_conv_grad) {
  for (const ConvShape& z : conv_shapes()) {
    CAPTURE(z.batch);
    CAPTURE(z.length);
    CAPTURE(z.channels);
    CAPTURE(z.taps);
    int64_t n = z.batch * z.length * z.channels;
    Array<T> c = s.random(n), b = s.random(n), v = s.random(n), k = s.random(z.taps * z.channels);
    Array<T> dy = s.random(n), dc(n), db(n), dv(n), dk(z.taps * z.channels);
    s.kernels().gated_conv_grad(s.exec, {.batch = z.batch,
                                         .length = z.length,
                                         .channels = z.channels,
                                         .taps = z.taps,
                                         .c = c,
                                         .b = b,
                                         .v = v,
                                         .k = k,
                                         .dy = dy,
                                         .dc = dc,
                                         .db = db,
                                         .dv = dv,
                                         .dk = dk});
    Doubles slopes = dy.doubles();
    GatedConvValues g =
        naive_gated_conv(z, {c.doubles(), b.doubles(), v.doubles(), k.doubles()}, &slopes, nullptr);
    s.near(dc, [&] { return g.c; });
    s.near(db, [&] { return g.b; });
    s.near(dv, [&] { return g.v; });
    s.near(dk, [&] { return g.k; });
  }
}
