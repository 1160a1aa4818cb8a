// The matrix-valued state against its recurrence, a token at a time.
#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Size {
  int64_t batch, length, heads, group, e, f;
};
// Around the chunk of 48 tokens and registers, none of each.
const Size kSizes[] = {{1, 1, 1, 1, 1, 1},   {2, 5, 2, 1, 3, 4},    {1, 47, 1, 2, 8, 7},
                       {1, 48, 2, 1, 5, 16}, {2, 49, 1, 1, 16, 17}, {1, 97, 2, 2, 4, 3},
                       {1, 150, 1, 3, 9, 5}, {1, 130, 2, 1, 33, 2}, {0, 5, 1, 1, 2, 2},
                       {2, 0, 1, 1, 2, 2}};

// The inputs, or the gradients with respect to them.
struct Values {
  Doubles q, k, v, a, w;
};

// Calls f(b, h, t, state before t, gradient or state after) from the first token to the last.
struct Naive {
  Size z;
  double scale;

  size_t token(int64_t b, int64_t t, int64_t h) const {
    return size_t((b * z.length + t) * z.heads + h);
  }
  size_t query(int64_t b, int64_t t, int64_t h, int64_t g) const {
    return token(b, t, h) * size_t(z.group) + size_t(g);
  }

  // states[t] of one head is the state before token t.
  std::vector<Doubles> states(const Values& x, const Doubles& start, int64_t b, int64_t h) const {
    auto first = start.begin() + (b * z.heads + h) * z.e * z.f;
    std::vector<Doubles> S{Doubles(first, first + z.e * z.f)};
    for (int64_t t = 0; t < z.length; ++t) {
      size_t at = token(b, t, h);
      Doubles next(S.back().size());
      for (int64_t n = 0; n < z.e; ++n)
        for (int64_t c = 0; c < z.f; ++c)
          next[size_t(n * z.f + c)] =
              x.a[at] * S.back()[size_t(n * z.f + c)] +
              x.k[at * size_t(z.e) + size_t(n)] * x.w[at] * x.v[at * size_t(z.f) + size_t(c)];
      S.push_back(next);
    }
    return S;
  }

  Doubles forward(const Values& x, const Doubles& start, Doubles& last) const {
    Doubles y(x.q.size() / size_t(z.e) * size_t(z.f));
    last.clear();
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h) {
        std::vector<Doubles> S = states(x, start, b, h);
        for (int64_t t = 0; t < z.length; ++t)
          for (int64_t g = 0; g < z.group; ++g)
            for (int64_t i = 0; i < z.e * z.f; ++i)
              y[query(b, t, h, g) * size_t(z.f) + size_t(i % z.f)] +=
                  scale * x.q[query(b, t, h, g) * size_t(z.e) + size_t(i / z.f)] *
                  S[size_t(t + 1)][size_t(i)];
        last.insert(last.end(), S.back().begin(), S.back().end());
      }
    return y;
  }

  Values gradient(const Values& x, const Doubles& dy) const {
    Values d{Doubles(x.q.size()), Doubles(x.k.size()), Doubles(x.v.size()), Doubles(x.a.size()),
             Doubles(x.w.size())};
    Doubles start(size_t(z.batch * z.heads * z.e * z.f));
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h) {
        std::vector<Doubles> S = states(x, start, b, h);
        Doubles dS(size_t(z.e * z.f));
        for (int64_t t = z.length - 1; t >= 0; --t) {
          size_t at = token(b, t, h);
          for (int64_t i = 0; i < z.e * z.f; ++i) {
            size_t n = at * size_t(z.e) + size_t(i / z.f), c = at * size_t(z.f) + size_t(i % z.f);
            double &s = dS[size_t(i)], before = S[size_t(t)][size_t(i)];
            for (int64_t g = 0; g < z.group; ++g) {
              size_t q = query(b, t, h, g) * size_t(z.e) + size_t(i / z.f);
              size_t y = query(b, t, h, g) * size_t(z.f) + size_t(i % z.f);
              d.q[q] += scale * S[size_t(t + 1)][size_t(i)] * dy[y];
              s += scale * x.q[q] * dy[y];
            }
            d.k[n] += s * x.w[at] * x.v[c];
            d.v[c] += s * x.w[at] * x.k[n];
            d.w[at] += s * x.k[n] * x.v[c];
            d.a[at] += s * before;
            s *= x.a[at];
          }
        }
      }
    return d;
  }
};

template <class T>
struct Inputs {
  Array<T> q, k, v, a, w, start;
  Inputs(Session<T>& s, const Size& z)
      : q(s.random(z.batch * z.length * z.heads * z.group * z.e)),
        k(s.random(z.batch * z.length * z.heads * z.e)),
        v(s.random(z.batch * z.length * z.heads * z.f)),
        a(s.random(z.batch * z.length * z.heads, 0.3, 1)),
        w(s.random(z.batch * z.length * z.heads)),
        start(s.random(z.batch * z.heads * z.e * z.f)) {
    // Decays that end the past altogether, and those that underflow together.
    for (int64_t i = 0; i < a.size(); ++i)
      if (i % 7 == 3) a[i] = i % 2 ? T(0) : T(1e-30);
  }
  Values values(bool weighted) const {
    Doubles one(size_t(a.size()), 1.0);
    return {q.doubles(), k.doubles(), v.doubles(), weighted ? a.doubles() : one,
            weighted ? w.doubles() : one};
  }
};

}  // namespace

KERNEL_CASE(matrix_state) {
  for (const Size& z : kSizes)
    for (bool weighted : {false, true})
      for (bool started : {false, true}) {
        CAPTURE(z.length);
        CAPTURE(z.e);
        CAPTURE(z.f);
        CAPTURE(weighted);
        CAPTURE(started);
        Inputs<T> x(s, z);
        Array<T> y(z.batch * z.length * z.heads * z.group * z.f), last(x.start.size());
        s.kernels().matrix_state(s.exec, {.batch = z.batch,
                                          .length = z.length,
                                          .heads = z.heads,
                                          .group = z.group,
                                          .e = z.e,
                                          .f = z.f,
                                          .scale = T(0.5),
                                          .q = x.q,
                                          .k = x.k,
                                          .v = x.v,
                                          .decay = weighted ? x.a.data() : nullptr,
                                          .strength = weighted ? x.w.data() : nullptr,
                                          .start = started ? x.start.data() : nullptr,
                                          .y = y,
                                          .last = last});
        Doubles expected_last, start(size_t(x.start.size()));
        Doubles expected = Naive{z, 0.5}.forward(
            x.values(weighted), started ? x.start.doubles() : start, expected_last);
        s.near(y, [&] { return expected; });
        s.near(last, [&] { return expected_last; });
      }
}

KERNEL_CASE(matrix_state_grad) {
  for (const Size& z : kSizes)
    for (bool weighted : {false, true}) {
      CAPTURE(z.length);
      CAPTURE(z.e);
      CAPTURE(z.f);
      CAPTURE(weighted);
      Inputs<T> x(s, z);
      Array<T> dy = s.random(z.batch * z.length * z.heads * z.group * z.f), dq(x.q.size());
      Array<T> dk(x.k.size()), dv(x.v.size()), da(x.a.size()), dw(x.w.size());
      s.kernels().matrix_state_grad(s.exec, {.batch = z.batch,
                                             .length = z.length,
                                             .heads = z.heads,
                                             .group = z.group,
                                             .e = z.e,
                                             .f = z.f,
                                             .scale = T(0.5),
                                             .q = x.q,
                                             .k = x.k,
                                             .v = x.v,
                                             .decay = weighted ? x.a.data() : nullptr,
                                             .strength = weighted ? x.w.data() : nullptr,
                                             .dy = dy,
                                             .dq = dq,
                                             .dk = dk,
                                             .dv = dv,
                                             .d_decay = weighted ? da.data() : nullptr,
                                             .d_strength = weighted ? dw.data() : nullptr});
      Values d = Naive{z, 0.5}.gradient(x.values(weighted), dy.doubles());
      s.near(dq, [&] { return d.q; });
      s.near(dk, [&] { return d.k; });
      s.near(dv, [&] { return d.v; });
      if (!weighted) continue;
      s.near(da, [&] { return d.a; });
      s.near(dw, [&] { return d.w; });
    }
}

namespace {

// The delta rule a token at a time, and its gradient; x.v are the values.
struct NaiveDelta {
  Size z;

  // Errors, and the states before each token of one head.
  struct Pass {
    Doubles errors;
    std::vector<Doubles> states;
  };
  double& entry(Doubles& S, int64_t n, int64_t c) const { return S[size_t(n * z.f + c)]; }
  Pass pass(const Values& x, const Doubles& start, int64_t b, int64_t h) const {
    auto first = start.begin() + (b * z.heads + h) * z.e * z.f;
    Pass p{{}, {Doubles(first, first + z.e * z.f)}};
    for (int64_t t = 0; t < z.length; ++t) {
      size_t at = size_t((b * z.length + t) * z.heads + h);
      Doubles S = p.states.back();
      for (int64_t c = 0; c < z.f; ++c) {
        double told = 0;
        for (int64_t n = 0; n < z.e; ++n)
          told += entry(S, n, c) * x.k[at * size_t(z.e) + size_t(n)];
        p.errors.push_back(x.v[at * size_t(z.f) + size_t(c)] - x.a[at] * told);
        for (int64_t n = 0; n < z.e; ++n)
          entry(S, n, c) = x.a[at] * entry(S, n, c) +
                           x.k[at * size_t(z.e) + size_t(n)] * x.w[at] * p.errors.back();
      }
      p.states.push_back(S);
    }
    return p;
  }

  Doubles forward(const Values& x, const Doubles& start) const {
    Doubles errors(x.v.size());
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h) {
        Pass p = pass(x, start, b, h);
        for (int64_t i = 0; i < z.length * z.f; ++i)
          errors[size_t(((b * z.length + i / z.f) * z.heads + h) * z.f + i % z.f)] =
              p.errors[size_t(i)];
      }
    return errors;
  }

  Values gradient(const Values& x, const Doubles& dx) const {
    Values d{
        {}, Doubles(x.k.size()), Doubles(x.v.size()), Doubles(x.a.size()), Doubles(x.w.size())};
    Doubles start(size_t(z.batch * z.heads * z.e * z.f));
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h) {
        Pass p = pass(x, start, b, h);
        Doubles dS(size_t(z.e * z.f));
        for (int64_t t = z.length - 1; t >= 0; --t) token(x, dx, p, b, t, h, dS, d);
      }
    return d;
  }

  void token(const Values& x, const Doubles& dx, Pass& p, int64_t b, int64_t t, int64_t h,
             Doubles& dS, Values& d) const {
    size_t at = size_t((b * z.length + t) * z.heads + h);
    Doubles& S = p.states[size_t(t)];
    for (int64_t c = 0; c < z.f; ++c) {
      size_t value = at * size_t(z.f) + size_t(c);
      double error = p.errors[size_t(t * z.f + c)], g = dx[value];
      for (int64_t n = 0; n < z.e; ++n) {
        size_t key = at * size_t(z.e) + size_t(n);
        double s = entry(dS, n, c);
        d.k[key] += s * x.w[at] * error;
        d.w[at] += s * x.k[key] * error;
        d.a[at] += s * entry(S, n, c);
        g += s * x.k[key] * x.w[at];
      }
      d.v[value] = g;
      for (int64_t n = 0; n < z.e; ++n) {
        size_t key = at * size_t(z.e) + size_t(n);
        d.k[key] -= g * x.a[at] * entry(S, n, c);
        d.a[at] -= g * x.k[key] * entry(S, n, c);
        entry(dS, n, c) = x.a[at] * (entry(dS, n, c) - g * x.k[key]);
      }
    }
  }
};

// Keys short enough that the state stays small.
template <class T>
Array<T> short_keys(Session<T>& s, const Size& z) {
  return s.random(z.batch * z.length * z.heads * z.e, -0.5, 0.5);
}

}  // namespace

KERNEL_CASE(delta_error) {
  for (const Size& z : kSizes)
    for (bool started : {false, true}) {
      CAPTURE(z.length);
      CAPTURE(z.e);
      CAPTURE(z.f);
      CAPTURE(started);
      Inputs<T> x(s, z);
      x.k = short_keys(s, z);
      Array<T> errors(x.v.size());
      s.kernels().delta_error(s.exec, {.batch = z.batch,
                                       .length = z.length,
                                       .heads = z.heads,
                                       .e = z.e,
                                       .f = z.f,
                                       .k = x.k,
                                       .v = x.v,
                                       .decay = x.a,
                                       .strength = x.w,
                                       .start = started ? x.start.data() : nullptr,
                                       .x = errors});
      Doubles none(size_t(x.start.size()));
      s.near(errors, [&] {
        return NaiveDelta{z}.forward(x.values(true), started ? x.start.doubles() : none);
      });
    }
}

KERNEL_CASE(delta_error_grad) {
  for (const Size& z : kSizes) {
    CAPTURE(z.length);
    CAPTURE(z.e);
    CAPTURE(z.f);
    Inputs<T> x(s, z);
    x.k = short_keys(s, z);
    Array<T> errors(x.v.size()), dx = s.random(x.v.size());
    Array<T> dk(x.k.size()), dv(x.v.size()), da(x.a.size()), dw(x.w.size());
    s.kernels().delta_error(s.exec, {.batch = z.batch,
                                     .length = z.length,
                                     .heads = z.heads,
                                     .e = z.e,
                                     .f = z.f,
                                     .k = x.k,
                                     .v = x.v,
                                     .decay = x.a,
                                     .strength = x.w,
                                     .x = errors});
    s.kernels().delta_error_grad(s.exec, {.batch = z.batch,
                                          .length = z.length,
                                          .heads = z.heads,
                                          .e = z.e,
                                          .f = z.f,
                                          .k = x.k,
                                          .decay = x.a,
                                          .strength = x.w,
                                          .x = errors,
                                          .dx = dx,
                                          .dk = dk,
                                          .dv = dv,
                                          .d_decay = da,
                                          .d_strength = dw});
    Values d = NaiveDelta{z}.gradient(x.values(true), dx.doubles());
    s.near(dv, [&] { return d.v; });
    // Of one token alone the others have no gradient but what rounding leaves.
    s.near(
        dk, [&] { return d.k; }, 1);
    s.near(
        da, [&] { return d.a; }, 1);
    s.near(
        dw, [&] { return d.w; }, 1);
  }
}
