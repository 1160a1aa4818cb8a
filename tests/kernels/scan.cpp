#include <array>

#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Size {
  int64_t batch, length, channels;
};
std::vector<Size> sizes() {
  std::vector<Size> all;
  for (int64_t channels : kAwkward) all.push_back({2, 9, channels});
  for (int64_t length : kAwkward) all.push_back({2, length, 5});
  for (Size more : {Size{0, 3, 3}, {3, 0, 3}, {3, 3, 0}, {5, 129, 257}}) all.push_back(more);
  return all;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

KERNEL_CASE(scan) {
  for (auto [batch, length, channels] : sizes())
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
        s.kernels().scan(s.exec, {.batch = batch,
                                  .length = length,
                                  .channels = channels,
                                  .reverse = reverse,
                                  .a = a,
                                  .b = b,
                                  .h0 = start,
                                  .h = h});
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

// Calls f(place, place of the token before or −1, channel of all sequences) from the first token
// on.
template <class F>
static void each_token(int64_t batch, int64_t length, int64_t channels, const F& f) {
  for (int64_t i = 0; i < batch * channels; ++i)
    for (int64_t t = 0; t < length; ++t) {
      int64_t at = (i / channels * length + t) * channels + i % channels;
      f(at, t > 0 ? at - channels : -1, i);
    }
}

KERNEL_CASE(gated_scan) {
  for (auto [batch, length, channels] : sizes())
    for (bool with_state : {false, true}) {
      CAPTURE(batch);
      CAPTURE(length);
      CAPTURE(channels);
      CAPTURE(with_state);
      int64_t n = batch * length * channels;
      // Gates from shut to open, where the other one has to be small and not 0.
      Array<T> u = s.random(n, -30, 30), v = s.random(n), h0 = s.random(batch * channels), h(n);
      s.kernels().gated_scan(s.exec, {.batch = batch,
                                      .length = length,
                                      .channels = channels,
                                      .u = u,
                                      .v = v,
                                      .h0 = with_state ? h0.data() : nullptr,
                                      .h = h});
      s.near(h, [&] {
        Doubles expected(size_t(n), 0.0);
        each_token(batch, length, channels, [&](int64_t at, int64_t before, int64_t i) {
          double past = before >= 0 ? expected[size_t(before)] : with_state ? double(h0[i]) : 0;
          expected[size_t(at)] = sigmoid(u[at]) * past + sigmoid(-double(u[at])) * double(v[at]);
        });
        return expected;
      });
    }
}

KERNEL_CASE(gated_scan_grad) {
  for (auto [batch, length, channels] : sizes())
    for (bool with_state : {false, true}) {
      CAPTURE(batch);
      CAPTURE(length);
      CAPTURE(channels);
      CAPTURE(with_state);
      int64_t n = batch * length * channels;
      Array<T> u = s.random(n, -5, 5), v = s.random(n), h0 = s.random(batch * channels);
      Array<T> h = s.random(n), dh = s.random(n), du(n), dv(n);  // any h: it is only read
      s.kernels().gated_scan_grad(s.exec, {.batch = batch,
                                           .length = length,
                                           .channels = channels,
                                           .u = u,
                                           .v = v,
                                           .h0 = with_state ? h0.data() : nullptr,
                                           .h = h,
                                           .dh = dh,
                                           .du = du,
                                           .dv = dv});
      Doubles g = dh.doubles(), expected_du(size_t(n), 0.0), expected_dv(size_t(n), 0.0);
      std::vector<std::array<int64_t, 3>> order;
      each_token(batch, length, channels, [&](auto at, auto before, auto i) {
        order.push_back({at, before, i});
      });
      for (size_t k = order.size(); k-- > 0;) {
        auto [at, before, i] = order[k];
        double a = sigmoid(u[at]), take = sigmoid(-double(u[at]));
        double past = before >= 0 ? double(h[before]) : with_state ? double(h0[i]) : 0;
        expected_dv[size_t(at)] = take * g[size_t(at)];
        expected_du[size_t(at)] = a * take * (past - double(v[at])) * g[size_t(at)];
        if (before >= 0) g[size_t(before)] += a * g[size_t(at)];
      }
      s.near(du, [&] { return expected_du; });
      s.near(dv, [&] { return expected_dv; });
    }
}
