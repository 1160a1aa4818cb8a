// Softmax attention against all pairs, one at a time.
#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Size {
  int64_t batch, heads, group, e, f;
  Visibility v;
};
// Around the blocks of 48 queries and 64 keys and around registers; windows narrower and wider than
// a block; queries that stand behind others; nothing.
const Size kSizes[] = {{1, 1, 1, 1, 1, {1, 1, 0, 0}},      {2, 2, 1, 3, 5, {7, 7, 0, 0}},
                       {1, 2, 2, 8, 8, {47, 47, 0, 0}},    {2, 1, 3, 5, 16, {48, 48, 0, 0}},
                       {1, 1, 1, 16, 3, {49, 49, 0, 0}},   {1, 2, 1, 7, 9, {64, 64, 0, 0}},
                       {1, 1, 2, 9, 7, {65, 65, 0, 0}},    {1, 1, 1, 33, 31, {130, 130, 0, 0}},
                       {2, 2, 1, 4, 4, {113, 113, 0, 1}},  {1, 2, 1, 4, 6, {113, 113, 0, 10}},
                       {1, 1, 2, 6, 4, {150, 150, 0, 70}}, {1, 1, 1, 4, 4, {33, 33, 0, 40}},
                       {1, 2, 1, 5, 5, {1, 90, 89, 0}},    {2, 1, 2, 5, 5, {60, 129, 69, 0}},
                       {2, 2, 2, 9, 7, {4, 31, 20, 0}},    {1, 1, 2, 3, 20, {3, 90, 70, 9}},
                       {1, 1, 1, 5, 5, {60, 129, 3, 17}},  {0, 2, 1, 4, 4, {5, 5, 0, 0}}};
// Around the rows and panels of tensor cores, and beyond what they take; aligned rows and others.
const Size kWideSizes[] = {
    {1, 1, 1, 16, 16, {129, 129, 0, 0}},  {1, 2, 1, 64, 64, {150, 150, 0, 0}},
    {1, 1, 2, 24, 48, {66, 140, 74, 90}}, {2, 1, 1, 63, 33, {40, 70, 30, 0}},
    {1, 1, 1, 100, 128, {40, 70, 30, 0}}, {1, 1, 2, 20, 12, {300, 300, 0, 20}},
    {1, 1, 1, 132, 8, {40, 40, 0, 0}}};

template <class T>
struct Problem {
  Size z;
  int64_t L, n;
  Array<T> q, k, v;
  double scale = 0.5;

  // Of numbers that products read whole.
  Problem(Session<T>& s, const Size& size, Math math = Math::fp32)
      : z(size),
        L(size.v.queries),
        n(size.v.keys),
        q(s.random(z.batch * L * z.heads * z.group * z.e, -2, 2)),
        k(s.random(z.batch * n * z.heads * z.e, -2, 2)),
        v(s.random(z.batch * n * z.heads * z.f)) {
    for (Array<T>* x : {&q, &k, &v}) round(*x, math);
  }
  static void round(Array<T>& x, Math math) {
    for (int64_t i = 0; math != Math::fp32 && i < x.size(); ++i)
      x[i] = T(rounded(float(x[i]), dropped_bits(math)));
  }

  int64_t query(int64_t b, int64_t i, int64_t h, int64_t g, int64_t width) const {
    return (((b * L + i) * z.heads + h) * z.group + g) * width;
  }
  int64_t key(int64_t b, int64_t j, int64_t h, int64_t width) const {
    return ((b * n + j) * z.heads + h) * width;
  }
  // Calls f(b, h, g, i, first, last, p), p being the softmax over the keys from first to last, and
  // the logarithm of its sum.
  template <class F>
  void each_row(const F& f) const {
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h)
        for (int64_t g = 0; g < z.group; ++g)
          for (int64_t i = 0; i < L; ++i) {
            int64_t first = z.v.first(i), last = z.v.last(i);
            Doubles p(size_t(last), 0.0);
            double total = 0;
            for (int64_t j = first; j < last; ++j) {
              double s = 0;
              for (int64_t c = 0; c < z.e; ++c)
                s += double(q[query(b, i, h, g, z.e) + c]) * double(k[key(b, j, h, z.e) + c]);
              total += p[size_t(j)] = std::exp(scale * s);
            }
            for (double& x : p) x /= total;
            f(b, h, g, i, first, last, p, std::log(total));
          }
  }
};

struct Values {
  Doubles y, log_sum;
};
template <class T>
Values naive_attention(const Problem<T>& x) {
  const Size& z = x.z;
  Values out{Doubles(size_t(z.batch * x.L * z.heads * z.group * z.f)),
             Doubles(size_t(z.batch * x.L * z.heads * z.group))};
  x.each_row(
      [&](auto b, auto h, auto g, auto i, auto first, auto last, const Doubles& p, double l) {
        out.log_sum[size_t(((b * z.heads + h) * z.group + g) * x.L + i)] = l;
        for (int64_t j = first; j < last; ++j)
          for (int64_t c = 0; c < z.f; ++c)
            out.y[size_t(x.query(b, i, h, g, z.f) + c)] +=
                p[size_t(j)] * double(x.v[x.key(b, j, h, z.f) + c]);
      });
  return out;
}

struct Gradients {
  Doubles q, k, v;
};
template <class T>
Gradients naive_gradient(const Problem<T>& x, const Doubles& dy) {
  const Size& z = x.z;
  Gradients d{Doubles(size_t(x.q.size())), Doubles(size_t(x.k.size())),
              Doubles(size_t(x.v.size()))};
  x.each_row([&](auto b, auto h, auto g, auto i, auto first, auto last, const Doubles& p, double) {
    Doubles dp(p.size());
    double mean = 0;
    for (int64_t j = first; j < last; ++j) {
      for (int64_t c = 0; c < z.f; ++c) {
        size_t at = size_t(x.query(b, i, h, g, z.f) + c), to = size_t(x.key(b, j, h, z.f) + c);
        dp[size_t(j)] += dy[at] * double(x.v[int64_t(to)]);
        d.v[to] += p[size_t(j)] * dy[at];
      }
      mean += p[size_t(j)] * dp[size_t(j)];
    }
    for (int64_t j = first; j < last; ++j)
      for (int64_t c = 0; c < z.e; ++c) {
        int64_t at = x.query(b, i, h, g, z.e) + c, to = x.key(b, j, h, z.e) + c;
        double ds = x.scale * p[size_t(j)] * (dp[size_t(j)] - mean);
        d.q[size_t(at)] += ds * double(x.k[to]);
        d.k[size_t(to)] += ds * double(x.q[at]);
      }
  });
  return d;
}

template <class T>
Array<T> array_of(const Doubles& values) {
  Array<T> x(int64_t(values.size()));
  for (size_t i = 0; i < values.size(); ++i) x[int64_t(i)] = T(values[i]);
  return x;
}

// What a device's tensor cores drop of weights and slopes, which they multiply in turn.
template <class T>
double tolerance(Session<T>& s, Math math) {
  if (math == Math::fp32 || sizeof(T) == 8 || !s.exec.backend().memory)
    return Session<T>::kTolerance;
  return math == Math::tf32 ? 3e-3 : 2e-2;
}

template <class T>
void check_attention(Session<T>& s, const Size& z, Math math) {
  const MathScope scope(s.exec, math);
  Problem<T> x(s, z, math);
  int64_t rows = z.batch * x.L * z.heads * z.group;
  Array<T> y(rows * z.f), log_sum(rows), without(rows * z.f);
  Attention<T> args{.batch = z.batch,
                    .heads = z.heads,
                    .group = z.group,
                    .e = z.e,
                    .f = z.f,
                    .visibility = z.v,
                    .scale = T(x.scale),
                    .q = x.q,
                    .k = x.k,
                    .v = x.v,
                    .y = y,
                    .log_sum = log_sum};
  s.kernels().attention(s.exec, args);
  Values expected = naive_attention(x);
  s.near(
      y, [&] { return expected.y; }, 0, tolerance(s, math));
  s.near(log_sum, [&] { return expected.log_sum; });
  args.y = without;
  args.log_sum = nullptr;
  s.kernels().attention(s.exec, args);
  s.equal(without, [&] { return y.doubles(); });
}

template <class T>
void check_gradient(Session<T>& s, const Size& z, Math math) {
  const MathScope scope(s.exec, math);
  Problem<T> x(s, z, math);
  Values forward = naive_attention(x);
  Array<T> y = array_of<T>(forward.y), log_sum = array_of<T>(forward.log_sum);
  Array<T> dy = s.random(y.size()), dq(x.q.size()), dk(x.k.size()), dv(x.v.size());
  Problem<T>::round(dy, math);
  s.kernels().attention_grad(s.exec, {.batch = z.batch,
                                      .heads = z.heads,
                                      .group = z.group,
                                      .e = z.e,
                                      .f = z.f,
                                      .visibility = z.v,
                                      .scale = T(x.scale),
                                      .q = x.q,
                                      .k = x.k,
                                      .v = x.v,
                                      .y = y,
                                      .log_sum = log_sum,
                                      .dy = dy,
                                      .dq = dq,
                                      .dk = dk,
                                      .dv = dv});
  Gradients d = naive_gradient(x, dy.doubles());
  // A query that sees itself alone has no gradient but what rounding leaves of terms of size 1.
  s.near(
      dq, [&] { return d.q; }, 1, tolerance(s, math));
  s.near(
      dk, [&] { return d.k; }, 1, tolerance(s, math));
  s.near(
      dv, [&] { return d.v; }, 0, tolerance(s, math));
}

// Calls f(size, math) for all that attention is asked for.
template <class F>
void for_each_size(const F& f) {
  auto run = [&](const Size& z, Math math) {
    CAPTURE(z.v.queries);
    CAPTURE(z.v.keys);
    CAPTURE(z.v.window);
    CAPTURE(z.e);
    CAPTURE(int(math));
    f(z, math);
  };
  for (const Size& z : kSizes) run(z, Math::fp32);
  for (const Size& z : kWideSizes)
    for (Math math : {Math::fp32, Math::tf32, Math::bf16}) run(z, math);
}

}  // namespace

KERNEL_CASE(attention) {
  for_each_size([&](const Size& z, Math math) { check_attention(s, z, math); });
}

KERNEL_CASE(attention_grad) {
  for_each_size([&](const Size& z, Math math) { check_gradient(s, z, math); });
}

// Scores that overflow an exponential are no trouble: the greatest weighs 1.
TEST_CASE("attention takes large scores") {
  for (auto [backend, threads] : places()) {
    Session<float> s(*backend, 1);
    Array<float> q = array_of<float>({300, -300}), k = array_of<float>({300, 200});
    Array<float> v = array_of<float>({1, 2}), y(2);
    s.kernels().attention(s.exec,
                          {.batch = 1,
                           .heads = 1,
                           .group = 1,
                           .e = 1,
                           .f = 1,
                           .visibility = {.queries = 2, .keys = 2, .offset = 0, .window = 0},
                           .scale = 1.0f,
                           .q = q,
                           .k = k,
                           .v = v,
                           .y = y});
    s.equal(y, [] { return Doubles{1, 2}; });
  }
}
