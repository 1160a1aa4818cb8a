// The matrix-valued state with a decay a key channel against its recurrence, a token at a time.
#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Size {
  int64_t batch, length, heads, e, f;
};
// Around the chunks of 16 and 32 tokens and registers, none of each.
const Size kSizes[] = {{1, 1, 1, 1, 1},    {2, 5, 2, 3, 4},  {1, 15, 1, 8, 7}, {1, 16, 2, 5, 16},
                       {2, 17, 1, 16, 17}, {1, 33, 2, 4, 3}, {1, 70, 1, 9, 5}, {1, 50, 2, 33, 2},
                       {0, 5, 1, 2, 2},    {2, 0, 1, 2, 2}};

// The gradient of a decay is a difference of products of inputs, and may be none.
constexpr double kOfDifference = 1;

// The inputs, or the gradients with respect to them.
struct Values {
  Doubles q, k, v, g, w;
  explicit Values(const Size& z)
      : q(rows(z, z.e)), k(rows(z, z.e)), v(rows(z, z.f)), g(rows(z, z.e)), w(rows(z, 1)) {}
  static size_t rows(const Size& z, int64_t n) { return size_t(z.batch * z.length * z.heads * n); }
};

// S_t = Diag(exp(g_t)) S_{t−1} + k_t ⊗ (w_t x_t) with x_t = v_t, or by the delta rule
// v_t − (Diag(exp(g_t)) S_{t−1})ᵀ k_t.
struct Naive {
  Size z;
  double scale;
  bool delta;

  struct Head {
    std::vector<Doubles> states, faded, errors;  // before token t, the same times exp(g_t); x_t
  };
  size_t token(int64_t b, int64_t t, int64_t h) const {
    return size_t((b * z.length + t) * z.heads + h);
  }
  size_t key(size_t token, int64_t n) const { return token * size_t(z.e) + size_t(n); }
  size_t value(size_t token, int64_t c) const { return token * size_t(z.f) + size_t(c); }
  size_t entry(int64_t n, int64_t c) const { return size_t(n * z.f + c); }

  Head pass(const Values& x, const Doubles& start, int64_t b, int64_t h) const {
    auto first = start.begin() + (b * z.heads + h) * z.e * z.f;
    Head p{{Doubles(first, first + z.e * z.f)}, {}, {}};
    for (int64_t t = 0; t < z.length; ++t) {
      const size_t at = token(b, t, h);
      Doubles S = p.states.back(), errors;
      for (int64_t n = 0; n < z.e; ++n)
        for (int64_t c = 0; c < z.f; ++c) S[entry(n, c)] *= std::exp(x.g[key(at, n)]);
      p.faded.push_back(S);
      for (int64_t c = 0; c < z.f; ++c) {
        double error = x.v[value(at, c)];
        for (int64_t n = 0; delta && n < z.e; ++n) error -= S[entry(n, c)] * x.k[key(at, n)];
        errors.push_back(error);
      }
      for (int64_t n = 0; n < z.e; ++n)
        for (int64_t c = 0; c < z.f; ++c)
          S[entry(n, c)] += x.k[key(at, n)] * x.w[at] * errors[size_t(c)];
      p.errors.push_back(errors);
      p.states.push_back(S);
    }
    return p;
  }

  // y, or by the delta rule the errors x.
  Doubles forward(const Values& x, const Doubles& start, Doubles& last) const {
    Doubles y(x.v.size());
    last.clear();
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h) {
        Head p = pass(x, start, b, h);
        for (int64_t t = 0; t < z.length; ++t) {
          const size_t at = token(b, t, h);
          for (int64_t c = 0; c < z.f; ++c) {
            if (delta) y[value(at, c)] = p.errors[size_t(t)][size_t(c)];
            for (int64_t n = 0; !delta && n < z.e; ++n)
              y[value(at, c)] += scale * x.q[key(at, n)] * p.states[size_t(t + 1)][entry(n, c)];
          }
        }
        last.insert(last.end(), p.states.back().begin(), p.states.back().end());
      }
    return y;
  }

  // dy is the gradient of y, or by the delta rule of x.
  Values gradient(const Values& x, const Doubles& dy) const {
    Values d(z);
    const Doubles start(size_t(z.batch * z.heads * z.e * z.f));
    for (int64_t b = 0; b < z.batch; ++b)
      for (int64_t h = 0; h < z.heads; ++h) {
        Head p = pass(x, start, b, h);
        Doubles dS(size_t(z.e * z.f));
        for (int64_t t = z.length - 1; t >= 0; --t)
          token_gradient(x, dy, p, token(b, t, h), t, dS, d);
      }
    return d;
  }

  void token_gradient(const Values& x, const Doubles& dy, const Head& p, size_t at, int64_t t,
                      Doubles& dS, Values& d) const {
    const Doubles &S = p.states[size_t(t + 1)], &faded = p.faded[size_t(t)];
    for (int64_t n = 0; !delta && n < z.e; ++n)
      for (int64_t c = 0; c < z.f; ++c) {
        d.q[key(at, n)] += scale * S[entry(n, c)] * dy[value(at, c)];
        dS[entry(n, c)] += scale * x.q[key(at, n)] * dy[value(at, c)];
      }
    for (int64_t c = 0; c < z.f; ++c) {
      const double error = p.errors[size_t(t)][size_t(c)];
      double g = delta ? dy[value(at, c)] : 0;  // of the error
      for (int64_t n = 0; n < z.e; ++n) {
        const double s = dS[entry(n, c)];
        d.k[key(at, n)] += s * x.w[at] * error;
        d.w[at] += s * x.k[key(at, n)] * error;
        g += s * x.k[key(at, n)] * x.w[at];
      }
      d.v[value(at, c)] = g;
      for (int64_t n = 0; n < z.e; ++n) {
        double& s = dS[entry(n, c)];
        if (delta) {
          d.k[key(at, n)] -= g * faded[entry(n, c)];
          s -= g * x.k[key(at, n)];
        }
        d.g[key(at, n)] += s * faded[entry(n, c)];
        s *= std::exp(x.g[key(at, n)]);
      }
    }
  }
};

template <class T>
struct Inputs {
  Array<T> q, k, v, g, w, start;
  Inputs(Session<T>& s, const Size& z)
      : q(s.random(z.batch * z.length * z.heads * z.e)),
        k(s.random(z.batch * z.length * z.heads * z.e, -0.5, 0.5)),
        v(s.random(z.batch * z.length * z.heads * z.f)),
        g(s.random(z.batch * z.length * z.heads * z.e, -1, 0)),
        w(s.random(z.batch * z.length * z.heads)),
        start(s.random(z.batch * z.heads * z.e * z.f)) {
    // Decays that end the past altogether, those that underflow together, and none.
    for (int64_t i = 0; i < g.size(); ++i)
      if (i % 7 == 3) g[i] = i % 3 == 0 ? T(-1e4) : i % 3 == 1 ? T(-70) : T(0);
  }
  Values values(const Size& z, bool weighted) const {
    Values x(z);
    x.q = q.doubles(), x.k = k.doubles(), x.v = v.doubles(), x.g = g.doubles();
    x.w = weighted ? w.doubles() : Doubles(size_t(w.size()), 1.0);
    return x;
  }
};

}  // namespace

KERNEL_CASE(channel_state) {
  for (const Size& z : kSizes)
    for (bool weighted : {false, true})
      for (bool started : {false, true}) {
        INFO(fmt::format("{} tokens, {} × {}, {}, {}", z.length, z.e, z.f, weighted, started));
        Inputs<T> x(s, z);
        Array<T> y(x.v.size()), last(x.start.size());
        s.kernels().channel_state(s.exec, {.batch = z.batch,
                                           .length = z.length,
                                           .heads = z.heads,
                                           .e = z.e,
                                           .f = z.f,
                                           .scale = T(0.5),
                                           .q = x.q,
                                           .k = x.k,
                                           .v = x.v,
                                           .log_decay = x.g,
                                           .strength = weighted ? x.w.data() : nullptr,
                                           .start = started ? x.start.data() : nullptr,
                                           .y = y,
                                           .last = last});
        Doubles expected_last, none(size_t(x.start.size()));
        Doubles expected = Naive{z, 0.5, false}.forward(
            x.values(z, weighted), started ? x.start.doubles() : none, expected_last);
        s.near(y, [&] { return expected; });
        s.near(last, [&] { return expected_last; });
      }
}

KERNEL_CASE(channel_state_grad) {
  for (const Size& z : kSizes)
    for (bool weighted : {false, true}) {
      INFO(fmt::format("{} tokens, {} × {}, {}", z.length, z.e, z.f, weighted));
      Inputs<T> x(s, z);
      Array<T> dy = s.random(x.v.size()), dq(x.q.size()), dk(x.k.size()), dv(x.v.size());
      Array<T> dg(x.g.size()), dw(x.w.size());
      s.kernels().channel_state_grad(s.exec, {.batch = z.batch,
                                              .length = z.length,
                                              .heads = z.heads,
                                              .e = z.e,
                                              .f = z.f,
                                              .scale = T(0.5),
                                              .q = x.q,
                                              .k = x.k,
                                              .v = x.v,
                                              .log_decay = x.g,
                                              .strength = weighted ? x.w.data() : nullptr,
                                              .dy = dy,
                                              .dq = dq,
                                              .dk = dk,
                                              .dv = dv,
                                              .d_log_decay = dg,
                                              .d_strength = weighted ? dw.data() : nullptr});
      Values d = Naive{z, 0.5, false}.gradient(x.values(z, weighted), dy.doubles());
      s.near(dq, [&] { return d.q; });
      s.near(dk, [&] { return d.k; });
      s.near(dv, [&] { return d.v; });
      s.near(
          dg, [&] { return d.g; }, kOfDifference);
      if (weighted) s.near(dw, [&] { return d.w; });
    }
}

KERNEL_CASE(channel_error) {
  for (const Size& z : kSizes)
    for (bool started : {false, true}) {
      INFO(fmt::format("{} tokens, {} × {}, {}", z.length, z.e, z.f, started));
      Inputs<T> x(s, z);
      Array<T> errors(x.v.size());
      s.kernels().channel_error(s.exec, {.batch = z.batch,
                                         .length = z.length,
                                         .heads = z.heads,
                                         .e = z.e,
                                         .f = z.f,
                                         .k = x.k,
                                         .v = x.v,
                                         .log_decay = x.g,
                                         .strength = x.w,
                                         .start = started ? x.start.data() : nullptr,
                                         .x = errors});
      Doubles last, none(size_t(x.start.size()));
      s.near(errors, [&] {
        return Naive{z, 1, true}.forward(x.values(z, true), started ? x.start.doubles() : none,
                                         last);
      });
    }
}

KERNEL_CASE(channel_error_grad) {
  for (const Size& z : kSizes) {
    INFO(fmt::format("{} tokens, {} × {}", z.length, z.e, z.f));
    Inputs<T> x(s, z);
    Array<T> errors(x.v.size()), dx = s.random(x.v.size()), dk(x.k.size()), dv(x.v.size());
    Array<T> dg(x.g.size()), dw(x.w.size());
    s.kernels().channel_error(s.exec, {.batch = z.batch,
                                       .length = z.length,
                                       .heads = z.heads,
                                       .e = z.e,
                                       .f = z.f,
                                       .k = x.k,
                                       .v = x.v,
                                       .log_decay = x.g,
                                       .strength = x.w,
                                       .x = errors});
    s.kernels().channel_error_grad(s.exec, {.batch = z.batch,
                                            .length = z.length,
                                            .heads = z.heads,
                                            .e = z.e,
                                            .f = z.f,
                                            .k = x.k,
                                            .log_decay = x.g,
                                            .strength = x.w,
                                            .x = errors,
                                            .dx = dx,
                                            .dk = dk,
                                            .dv = dv,
                                            .d_log_decay = dg,
                                            .d_strength = dw});
    Values d = Naive{z, 1, true}.gradient(x.values(z, true), dx.doubles());
    s.near(dk, [&] { return d.k; });
    s.near(dv, [&] { return d.v; });
    s.near(
        dg, [&] { return d.g; }, kOfDifference);
    s.near(dw, [&] { return d.w; });
  }
}
