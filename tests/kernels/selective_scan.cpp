#include "cpu/cpu.h"
#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Size {
  int64_t batch, length, d, n;
};
const Size kSizes[] = {{1, 1, 1, 1},   {2, 5, 3, 2},    {1, 15, 7, 16},   {2, 16, 8, 16},
                       {1, 17, 9, 3},  {2, 31, 15, 5},  {1, 32, 16, 16},  {3, 33, 17, 16},
                       {1, 48, 31, 1}, {2, 50, 33, 17}, {3, 129, 40, 16}, {4, 20, 127, 4},
                       {0, 3, 3, 3},   {2, 0, 3, 3},    {2, 3, 0, 3}};

// The inputs, or the gradients with respect to them.
struct Values {
  Doubles dt, A, B, C, v;
};

// The state before token t is states[t], [batch, N, d] after the layout of the kernel.
struct Forward {
  std::vector<Doubles> states;
  Doubles y;
};

Forward naive_scan(const Size& z, const Values& x, const Doubles& h0) {
  auto [batch, L, d, N] = z;
  Forward out{{h0}, Doubles(size_t(batch * L * d), 0.0)};
  for (int64_t t = 0; t < L; ++t) {
    Doubles h = out.states.back();
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t n = 0; n < N; ++n)
        for (int64_t c = 0; c < d; ++c) {
          size_t at = size_t((b * L + t) * d + c), s = size_t((b * L + t) * N + n);
          double& state = h[size_t((b * N + n) * d + c)];
          state = std::exp(x.dt[at] * x.A[size_t(n * d + c)]) * state + x.dt[at] * x.B[s] * x.v[at];
          out.y[at] += x.C[s] * state;
        }
    out.states.push_back(h);
  }
  return out;
}

// The chain rule along the tokens, from the last to the first.
Values naive_gradient(const Size& z, const Values& x, const Doubles& h0, const Doubles& dy) {
  auto [batch, L, d, N] = z;
  Forward forward = naive_scan(z, x, h0);
  Values g{Doubles(x.dt.size()), Doubles(x.A.size()), Doubles(x.B.size()), Doubles(x.C.size()),
           Doubles(x.v.size())};
  Doubles dh(h0.size());
  for (int64_t t = L - 1; t >= 0; --t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t n = 0; n < N; ++n)
        for (int64_t c = 0; c < d; ++c) {
          size_t at = size_t((b * L + t) * d + c), s = size_t((b * L + t) * N + n);
          size_t a = size_t(n * d + c), h = size_t((b * N + n) * d + c);
          double before = forward.states[size_t(t)][h], after = forward.states[size_t(t + 1)][h];
          double decay = std::exp(x.dt[at] * x.A[a]);
          g.C[s] += dy[at] * after;
          dh[h] += dy[at] * x.C[s];
          g.dt[at] += dh[h] * (decay * x.A[a] * before + x.B[s] * x.v[at]);
          g.A[a] += dh[h] * decay * x.dt[at] * before;
          g.B[s] += dh[h] * x.dt[at] * x.v[at];
          g.v[at] += dh[h] * x.dt[at] * x.B[s];
          dh[h] *= decay;
        }
  return g;
}

template <class T>
struct Inputs {
  Array<T> dt, A, B, C, v, h0;
  Inputs(Session<T>& s, const Size& z)
      : dt(s.random(z.batch * z.length * z.d, 0, 1.5)),
        A(s.random(z.n * z.d, -3, 0.05)),
        B(s.random(z.batch * z.length * z.n)),
        C(s.random(z.batch * z.length * z.n)),
        v(s.random(z.batch * z.length * z.d)),
        h0(s.random(z.batch * z.n * z.d)) {}
  Values values() const {
    return {dt.doubles(), A.doubles(), B.doubles(), C.doubles(), v.doubles()};
  }
};

// The states before tokens 0, kScanChunk, …, of each sequence: [batch, chunks, N, d].
Doubles checkpoints_of(const Size& z, const Forward& forward) {
  Doubles out;
  for (int64_t b = 0; b < z.batch; ++b)
    for (int64_t t = 0; t < z.length; t += kScanChunk) {
      auto begin = forward.states[size_t(t)].begin() + b * z.n * z.d;
      out.insert(out.end(), begin, begin + z.n * z.d);
    }
  return out;
}

}  // namespace

KERNEL_CASE(selective_scan) {
  for (const Size& z : kSizes)
    for (bool with_state : {false, true})
      for (bool keep : {false, true}) {
        auto [batch, L, d, N] = z;
        CAPTURE(batch);
        CAPTURE(L);
        CAPTURE(d);
        CAPTURE(N);
        CAPTURE(with_state);
        Inputs<T> in(s, z);
        int64_t chunks = blocks_of(L, kScanChunk);
        Array<T> y(batch * L * d), last(batch * N * d), checkpoints(batch * chunks * N * d);
        s.kernels().selective_scan(s.exec, {.batch = batch,
                                            .length = L,
                                            .d = d,
                                            .n = N,
                                            .dt = in.dt,
                                            .A = in.A,
                                            .B = in.B,
                                            .C = in.C,
                                            .v = in.v,
                                            .h0 = with_state ? in.h0.data() : nullptr,
                                            .y = y,
                                            .last = keep ? last.data() : nullptr,
                                            .checkpoints = keep ? checkpoints.data() : nullptr});
        Doubles start = with_state ? in.h0.doubles() : Doubles(size_t(batch * N * d), 0.0);
        Forward expected = naive_scan(z, in.values(), start);
        s.near(y, [&] { return expected.y; });
        if (!keep) continue;
        s.near(last, [&] { return expected.states.back(); });
        s.near(checkpoints, [&] { return checkpoints_of(z, expected); });
      }
}

KERNEL_CASE(selective_scan_grad) {
  for (const Size& z : kSizes) {
    auto [batch, L, d, N] = z;
    CAPTURE(batch);
    CAPTURE(L);
    CAPTURE(d);
    CAPTURE(N);
    Inputs<T> in(s, z);
    Values x = in.values();
    Doubles kept = checkpoints_of(z, naive_scan(z, x, in.h0.doubles()));
    Array<T> checkpoints(int64_t(kept.size()));
    for (size_t i = 0; i < kept.size(); ++i) checkpoints[int64_t(i)] = T(kept[i]);
    Array<T> dy = s.random(batch * L * d), d_dt(dy.size()), dv(dy.size());
    Array<T> dA = s.random(N * d), dB(batch * L * N), dC(batch * L * N);
    Doubles dA_before = dA.doubles();
    s.kernels().selective_scan_grad(s.exec, {.batch = batch,
                                             .length = L,
                                             .d = d,
                                             .n = N,
                                             .dt = in.dt,
                                             .A = in.A,
                                             .B = in.B,
                                             .C = in.C,
                                             .v = in.v,
                                             .checkpoints = checkpoints,
                                             .dy = dy,
                                             .d_dt = d_dt,
                                             .dA = dA,
                                             .dB = dB,
                                             .dC = dC,
                                             .dv = dv});
    Values expected = naive_gradient(z, x, in.h0.doubles(), dy.doubles());
    for (size_t i = 0; i < dA_before.size(); ++i) expected.A[i] += dA_before[i];
    s.near(d_dt, [&] { return expected.dt; });
    s.near(dA, [&] { return expected.A; });
    s.near(dB, [&] { return expected.B; });
    s.near(dC, [&] { return expected.C; });
    s.near(dv, [&] { return expected.v; });
  }
}

// Judges the judge: the reference gradient against central differences of the reference.
TEST_CASE("the naive gradient of the selective scan is the slope of the naive scan") {
  const Size z{2, 18, 3, 2};
  Session<double> s(cpu_backend(), 1);
  Inputs<double> in(s, z);
  Values x = in.values();
  Doubles h0 = in.h0.doubles(), dy = s.random(z.batch * z.length * z.d).doubles();
  Values gradient = naive_gradient(z, x, h0, dy);
  auto loss = [&] {
    Doubles y = naive_scan(z, x, h0).y;
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  for (auto member : {&Values::dt, &Values::A, &Values::B, &Values::C, &Values::v})
    for (size_t i = 0; i < (x.*member).size(); ++i) {
      double& value = (x.*member)[i];
      double at = value, step = 1e-5;
      value = at + step;
      double above = loss();
      value = at - step;
      double below = loss();
      value = at;
      // Third derivatives times step² / 6, and roundings divided by the step.
      CHECK((above - below) / (2 * step) == doctest::Approx((gradient.*member)[i]).epsilon(1e-6));
    }
}
