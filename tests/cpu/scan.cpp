#include "tests/cpu/cases.h"

using namespace star;

KERNEL_CASE(scan) {
  struct Size {
    int64_t batch, length, channels;
  };
  std::vector<Size> sizes;
  for (int64_t channels : kAwkward) sizes.push_back({2, 9, channels});
  for (int64_t length : kAwkward) sizes.push_back({2, length, 5});
  for (Size more : {Size{0, 3, 3}, {3, 0, 3}, {3, 3, 0}, {5, 129, 257}}) sizes.push_back(more);
  for (auto [batch, length, channels] : sizes)
    for (bool reverse : {false, true})
      for (bool with_state : {false, true}) {
        if (reverse && with_state) continue;  // the gradient starts from nothing
        CAPTURE(batch);
        CAPTURE(length);
        CAPTURE(channels);
        CAPTURE(reverse);
        CAPTURE(with_state);
        int64_t n = batch * length * channels;
        Array<T> a = s.random(n, -1, 1.1), b = s.random(n), h0 = s.random(batch * channels), h(n);
        T* start = with_state ? h0.data() : nullptr;
        s.kernels().scan(s.exec, {batch, length, channels, reverse, a, b, start, h});
        s.near(h, [&] {
          Doubles expected(size_t(n), 0.0);
          for (int64_t i = 0; i < batch * channels; ++i) {
            auto at = [&](int64_t t) {
              return (i / channels * length + t) * channels + i % channels;
            };
            for (int64_t step = 0; step < length; ++step) {
              int64_t t = reverse ? length - 1 - step : step;
              double carried = step > 0     ? expected[size_t(at(reverse ? t + 1 : t - 1))]
                               : with_state ? h0[i]
                                            : 0;
              double decay = reverse ? (step > 0 ? double(a[at(t + 1)]) : 0) : double(a[at(t)]);
              expected[size_t(at(t))] = decay * carried + double(b[at(t)]);
            }
          }
          return expected;
        });
      }
}
