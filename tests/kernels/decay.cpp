#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct DecayShape {
  int64_t batch, length, channels;
};
std::vector<DecayShape> decay_shapes() {
  std::vector<DecayShape> all = {{0, 3, 3}, {3, 0, 3}, {3, 3, 0}, {3, 20, 4}};
  for (int64_t length : kAwkward) all.push_back({1, length, 2});
  return all;
}

}  // namespace

KERNEL_CASE(decay) {
  for (auto [batch, length, channels] : decay_shapes()) {
    CAPTURE(length);
    Array<T> a = s.random(batch * length * channels, -0.2, 1.1);
    Array<T> y(batch * channels * length * length);
    s.kernels().decay(s.exec,
                      {.batch = batch, .length = length, .channels = channels, .a = a, .y = y});
    s.near(y, [&] {
      Doubles expected;
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t i = 0; i < length; ++i)
            for (int64_t j = 0; j < length; ++j) {
              double product = j <= i;
              for (int64_t k = j + 1; k <= i; ++k)
                product *= double(a[(b * length + k) * channels + c]);
              expected.push_back(product);
            }
      return expected;
    });
  }
}

// Straight from the product rule: da_k = Σ_{j<k≤i} dy_ij Π of the other factors.
KERNEL_CASE(decay_grad) {
  for (auto [batch, length, channels] : decay_shapes()) {
    if (length > 33) continue;  // the reference takes the fourth power of it
    CAPTURE(length);
    int64_t n = batch * channels * length * length;
    Array<T> a = s.random(batch * length * channels, -0.2, 1.1), y(n), dy = s.random(n);
    Array<T> da(batch * length * channels);
    s.kernels().decay(s.exec,
                      {.batch = batch, .length = length, .channels = channels, .a = a, .y = y});
    s.kernels().decay_grad(s.exec, {.batch = batch,
                                    .length = length,
                                    .channels = channels,
                                    .a = a,
                                    .y = y,
                                    .dy = dy,
                                    .da = da});
    s.near(da, [&] {
      Doubles expected(size_t(batch * length * channels), 0.0);
      for (int64_t at = 0; at < batch * channels; ++at)
        for (int64_t k = 0; k < length; ++k) {
          auto place = [&](int64_t t) {
            return (at / channels * length + t) * channels + at % channels;
          };
          for (int64_t i = k; i < length; ++i)
            for (int64_t j = 0; j < k; ++j) {
              double product = double(dy[(at * length + i) * length + j]);
              for (int64_t t = j + 1; t <= i; ++t)
                if (t != k) product *= double(a[place(t)]);
              expected[size_t(place(k))] += product;
            }
        }
      return expected;
    });
  }
}
