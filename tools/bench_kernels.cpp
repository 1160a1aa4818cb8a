#include "tools/bench_kernels.h"

#include <cmath>

#include "core/rng.h"

namespace star {
namespace {

// Notes the tensors of each case, and counts what it reads and writes.
template <class T>
class Benches {
 public:
  Benches(Exec& exec, const BenchSizes& s)
      : exec_(exec),
        B(s.batch),
        L(s.length),
        d(s.width),
        H(s.heads),
        V(s.vocab),
        N(s.states),
        n(s.batch * s.length * s.width),
        rows(s.batch * s.length) {}

  std::vector<KernelBench> all() {
    elementwise();
    products();
    by_row();
    along_tokens();
    tables();
    return std::move(list_);
  }

 private:
  const Kernels<T>& kernels() { return exec_.kernels<T>(); }
  static T* at(const Tensor& t) { return t.data<T>(); }

  // Uniform in a range; counted as read.
  Tensor in(const Shape& shape, double lo = -1, double hi = 1) {
    std::vector<double> values(size_t(shape.numel()));
    Rng rng(0, "bench", uint64_t(++drawn_));
    for (double& v : values) v = rng.uniform(lo, hi);
    bytes_ += double(shape.numel()) * sizeof(T);
    return exec_.from(shape, values, dtype_of<T>);
  }
  // Counted as written.
  Tensor out(const Shape& shape) {
    bytes_ += double(shape.numel()) * sizeof(T);
    return exec_.zeros(shape, dtype_of<T>);
  }
  Tensor index() {
    std::vector<int32_t> values(static_cast<size_t>(rows));
    Rng rng(0, "bench/index");
    for (int32_t& v : values) v = int32_t(rng.below(uint32_t(V)));
    bytes_ += 4 * double(rows);
    return exec_.from({rows}, values);
  }

  void add(const char* name, double flops, const Tensor& output, std::function<void()> run) {
    list_.push_back({name, flops, bytes_, std::move(run), output});
    bytes_ = 0;
  }

  void elementwise() {
    double m = double(n);
    Tensor y = out({n});
    add("fill", 0, y, [=, this] { kernels().fill(exec_, {n, T(1), at(y)}); });
    Tensor x = in({B, H, L, d / H}), z = out({B, L, H, d / H});
    add("copy", 0, z, [=, this] { exec_.copy(x.permute({0, 2, 1, 3}), z); });
    Tensor a = in({n}), b = out({n});
    add("scale", 2 * m, b, [=, this] { kernels().scale(exec_, {n, T(2), T(1), at(a), at(b)}); });
    Tensor u = in({n}), v = out({n});
    add("unary", 4 * m, v, [=, this] { kernels().unary(exec_, {Unary::silu, n, at(u), at(v)}); });
    Tensor gx = in({n}), gy = in({n}), gd = in({n}), g = out({n});
    add("unary_grad", 6 * m, g, [=, this] {
      kernels().unary_grad(exec_, {Unary::silu, n, at(gx), at(gy), at(gd), at(g)});
    });
    Tensor ga = in({n}), gb = in({n}), gated = out({n});
    add("gated", 5 * m, gated, [=, this] {
      kernels().gated(exec_, {Unary::silu, n, at(ga), at(gb), at(gated)});
    });
    Tensor ha = in({n}), hb = in({n}), hd = in({n}), da = out({n}), db = out({n});
    add("gated_grad", 9 * m, da, [=, this] {
      kernels().gated_grad(exec_, {Unary::silu, n, at(ha), at(hb), at(hd), at(da), at(db)});
    });
    Tensor p = in({n}), q = in({n}), r = out({n});
    add("binary", m, r, [=, this] {
      kernels().binary(exec_, {Binary::mul, {n}, {1}, {1}, at(p), at(q), at(r)});
    });
    Tensor s = in({rows, d}), t = out({d});
    add("sum", m, t, [=, this] { kernels().sum(exec_, {{d}, {1}, {rows}, {d}, at(s), at(t)}); });
  }

  void products() {
    int64_t m = 8 * ((d + 2) / 3);  // of a gated linear unit
    Tensor a = in({rows, d}), b = in({m, d}), c = out({rows, m});
    add("gemm", 2 * double(rows) * double(m) * double(d), c, [=, this] {
      kernels().gemm(exec_,
                     {rows, m, d, at(a), d, 1, at(b), 1, d, at(c), m, {}, {}, {}, {}, T(1), T(0)});
    });
  }

  void by_row() {
    double m = double(n), scores = double(B * H * L) * double(L);
    Tensor x = in({rows, d}), w = in({d}), y = out({rows, d}), inverse = out({rows});
    add("rms_norm", 4 * m, y, [=, this] {
      kernels().rms_norm(exec_, {rows, d, T(1e-5), at(x), at(w), at(y), at(inverse)});
    });
    Tensor gx = in({rows, d}), gw = in({d}), gi = in({rows}, 1, 2), dy = in({rows, d});
    Tensor dx = out({rows, d}), dw = out({d});
    add("rms_norm_grad", 8 * m, dx, [=, this] {
      kernels().rms_norm_grad(exec_,
                              {rows, d, false, at(gx), at(gw), at(gi), at(dy), at(dx), at(dw)});
    });
    Visibility causal{L, L, 0, 0};
    Shape square{B * H, L, L};
    Tensor s = in(square, -4, 4), p = out(square);
    add("softmax", 4 * scores, p, [=, this] {
      kernels().softmax(exec_, {B * H * L, causal, T(0.2), at(s), at(p)});
    });
    Tensor py = in(square, 0, 1), pd = in(square), ds = out(square);
    add("softmax_grad", 2 * scores, ds, [=, this] {
      kernels().softmax_grad(exec_, {B * H * L, causal, T(0.2), at(py), at(pd), at(ds)});
    });
    Tensor v = in(square), seen = out(square);
    add("visible", 0, seen, [=, this] {
      kernels().visible(exec_, {B * H * L, causal, at(v), at(seen)});
    });
    Tensor logits = in({rows, V}, -4, 4), loss = out({rows}), grad = out({rows, V});
    Tensor targets = index();
    add("cross_entropy", 6 * double(rows) * double(V), grad, [=, this] {
      kernels().cross_entropy(exec_, {rows, V, at(logits), targets.data<int32_t>(), at(loss),
                                      at(grad), T(1) / T(rows)});
    });
  }

  void attentions() {
    int64_t e = d / H;
    double work = double(B * H) * double(L) * double(L + 1) / 2 * double(e);
    Shape shape{B, L, d};
    Visibility causal{L, L, 0, 0};
    T scale = T(1) / T(std::sqrt(double(e)));
    Tensor q = in(shape), k = in(shape), v = in(shape), y = out(shape), sums = out({B, H, L});
    auto forward = [=, this] {
      kernels().attention(exec_,
                          {B, H, 1, e, e, causal, scale, at(q), at(k), at(v), at(y), at(sums)});
    };
    add("attention", 4 * work, y, forward);
    forward();
    Tensor dy = in(shape), dq = out(shape), dk = out(shape), dv = out(shape);
    add("attention_grad", 10 * work, dk, [=, this] {
      kernels().attention_grad(exec_, {B, H, 1, e, e, causal, scale, at(q), at(k), at(v), at(y),
                                       at(sums), at(dy), at(dq), at(dk), at(dv)});
    });
  }

  void convolutions(bool fourier, int64_t taps) {
    Tensor x = in({B, L, d}), k = in({taps, d}), y = out({B, L, d});
    double pairs = double(taps) * (double(L) - double(taps - 1) / 2),
           flops = 2 * double(B * d) * pairs;
    add(fourier ? "conv_fourier" : "conv", flops, y, [=, this] {
      (fourier ? kernels().conv_fourier : kernels().conv)(
          exec_, {B, L, d, taps, false, at(x), at(k), at(y)});
    });
    Tensor gx = in({B, L, d}), dy = in({B, L, d}), dk = out({taps, d});
    add(fourier ? "conv_fourier_kernel_grad" : "conv_kernel_grad", flops, dk, [=, this] {
      (fourier ? kernels().conv_fourier_kernel_grad : kernels().conv_kernel_grad)(
          exec_, {B, L, d, taps, at(gx), at(dy), at(dk)});
    });
  }

  void gated_convolution(int64_t taps) {
    double m = double(n), k = double(taps);
    Shape shape{B, L, d};
    Tensor c = in(shape), b = in(shape), v = in(shape), w = in({taps, d}), y = out(shape);
    add("gated_conv", (3 * k + 1) * m, y, [=, this] {
      kernels().gated_conv(exec_, {B, L, d, taps, at(c), at(b), at(v), at(w), at(y)});
    });
    Tensor gc = in(shape), gb = in(shape), gv = in(shape), gw = in({taps, d}), dy = in(shape);
    Tensor dc = out(shape), db = out(shape), dv = out(shape), dk = out({taps, d});
    add("gated_conv_grad", (8 * k + 4) * m, db, [=, this] {
      kernels().gated_conv_grad(exec_, {B, L, d, taps, at(gc), at(gb), at(gv), at(gw), at(dy),
                                        at(dc), at(db), at(dv), at(dk)});
    });
  }

  void along_tokens() {
    double m = double(n);
    Tensor x = in({B, L, H, d / H}), y = out({B, L, H, d / H});
    add("rotary", 3 * m, y, [=, this] {
      kernels().rotary(exec_, {B, L, H, d / H, 0, 10000, false, at(x), at(y)});
    });
    attentions();
    convolutions(false, 3);
    gated_convolution(3);
    convolutions(false, L);
    convolutions(true, L);
    Tensor a = in({B, L, d}, 0.8, 1), b = in({B, L, d}), h = out({B, L, d});
    add("scan", 2 * m, h, [=, this] {
      kernels().scan(exec_, {B, L, d, false, at(a), at(b), nullptr, at(h)});
    });
    Tensor u = in({B, L, d}), v = in({B, L, d}), gated = out({B, L, d});
    add("gated_scan", 8 * m, gated, [=, this] {
      kernels().gated_scan(exec_, {B, L, d, at(u), at(v), nullptr, at(gated)});
    });
    Tensor gu = in({B, L, d}), gv = in({B, L, d}), gh = in({B, L, d}), dh = in({B, L, d});
    Tensor du = out({B, L, d}), dv = out({B, L, d});
    add("gated_scan_grad", 11 * m, du, [=, this] {
      kernels().gated_scan_grad(exec_,
                                {B, L, d, at(gu), at(gv), nullptr, at(gh), at(dh), at(du), at(dv)});
    });
    states();
    int64_t c = 32, chunks = B * L / c;
    Tensor decays = in({chunks, c, H}, 0.8, 1), G = out({chunks, H, c, c});
    add("decay", double(G.numel()) / 2, G, [=, this] {
      kernels().decay(exec_, {chunks, c, H, at(decays), at(G)});
    });
    Tensor ga = in({chunks, c, H}, 0.8, 1), gy = in({chunks, H, c, c}, 0, 1);
    Tensor gd = in({chunks, H, c, c}), da = out({chunks, c, H});
    add("decay_grad", 2 * double(G.numel()), da, [=, this] {
      kernels().decay_grad(exec_, {chunks, c, H, at(ga), at(gy), at(gd), at(da)});
    });
    selective();
  }

  void states() {
    int64_t e = d / H;
    double inside = 4 * double(kStateChunk) * double(e), across = 4 * double(e * e);
    double work = double(B * L * H) * (inside + across);
    Shape shape{B, L, d};
    Tensor q = in(shape), k = in(shape), v = in(shape), a = in({B, L, H}, 0.8, 1);
    Tensor w = in({B, L, H}), y = out(shape);
    add("matrix_state", work, y, [=, this] {
      kernels().matrix_state(exec_, {B, L, H, 1, e, e, T(0.2), at(q), at(k), at(v), at(a), at(w),
                                     nullptr, at(y), nullptr});
    });
    Tensor gq = in(shape), gk = in(shape), gv = in(shape), ga = in({B, L, H}, 0.8, 1);
    Tensor gw = in({B, L, H}), dy = in(shape), dq = out(shape), dk = out(shape), dv = out(shape);
    Tensor da = out({B, L, H}), dw = out({B, L, H});
    add("matrix_state_grad", 2.5 * work, dk, [=, this] {
      kernels().matrix_state_grad(exec_, {B, L, H, 1, e, e, T(0.2), at(gq), at(gk), at(gv), at(ga),
                                          at(gw), at(dy), at(dq), at(dk), at(dv), at(da), at(dw)});
    });
    Tensor fk = in(shape), fv = in(shape), fa = in({B, L, H}, 0.8, 1), fw = in({B, L, H});
    Tensor x = out(shape);
    add("delta_error", work, x, [=, this] {
      kernels().delta_error(exec_, {B, L, H, e, e, at(fk), at(fv), at(fa), at(fw), nullptr, at(x)});
    });
    Tensor bk = in(shape), bx = in(shape), ba = in({B, L, H}, 0.8, 1), bw = in({B, L, H});
    Tensor dx = in(shape), bdk = out(shape), bdv = out(shape), bda = out({B, L, H});
    Tensor bdw = out({B, L, H});
    add("delta_error_grad", 2.5 * work, bdk, [=, this] {
      kernels().delta_error_grad(exec_, {B, L, H, e, e, at(bk), at(ba), at(bw), at(bx), at(dx),
                                         at(bdk), at(bdv), at(bda), at(bdw)});
    });
  }

  void selective() {
    double work = double(n) * double(N);
    int64_t kept = (L + kScanChunk - 1) / kScanChunk;
    Tensor dt = in({B, L, d}, 0.01, 0.1), A = in({N, d}, -4, -1), Bw = in({B, L, N});
    Tensor C = in({B, L, N}), v = in({B, L, d}), y = out({B, L, d}), states = out({B, kept, N, d});
    auto forward = [=, this] {
      kernels().selective_scan(exec_, {B, L, d, N, at(dt), at(A), at(Bw), at(C), at(v), nullptr,
                                       at(y), nullptr, at(states)});
    };
    add("selective_scan", 7 * work, y, forward);
    forward();
    Tensor dy = in({B, L, d}), ddt = out({B, L, d}), dA = out({N, d}), dB = out({B, L, N});
    Tensor dC = out({B, L, N}), dv = out({B, L, d});
    add("selective_scan_grad", 21 * work, dv, [=, this] {
      kernels().selective_scan_grad(
          exec_, {B, L, d, N, at(dt), at(A), at(Bw), at(C), at(v), at(states), at(dy), at(ddt),
                  at(dA), at(dB), at(dC), at(dv)});
    });
  }

  void tables() {
    Tensor table = in({V, d}), rows_out = out({rows, d}), ids = index();
    add("gather_rows", 0, rows_out, [=, this] {
      kernels().gather_rows(exec_, {rows, d, V, ids.data<int32_t>(), at(table), at(rows_out)});
    });
    Tensor x = in({rows, d}), sums = out({V, d}), to = index();
    add("scatter_rows", double(n), sums, [=, this] {
      kernels().fill(exec_, {V * d, T(0), at(sums)});
      kernels().scatter_rows(exec_, {rows, d, V, to.data<int32_t>(), at(x), at(sums)});
    });
    Tensor g = in({n}), w = in({n}), m = out({n}), s = out({n});
    add("adamw", 15 * double(n), w, [=, this] {
      kernels().adamw(exec_, {n, T(1e-3), T(0.9), T(0.95), T(1e-8), T(0.1), T(1), T(1), T(1), at(g),
                              at(w), at(m), at(s)});
    });
    Tensor q = in({n}), total = exec_.zeros({1}, DType::f64);
    add("sum_squares", 2 * double(n), total, [=, this] {
      double squares = 0;
      kernels().sum_squares(exec_, {n, at(q), &squares});
      exec_.fill(total, squares);
    });
  }

  Exec& exec_;
  int64_t B, L, d, H, V, N, n, rows;
  std::vector<KernelBench> list_;
  double bytes_ = 0;
  int drawn_ = 0;
};

}  // namespace

std::vector<KernelBench> kernel_benches(Exec& exec, DType dtype, const BenchSizes& sizes) {
  return dispatch(dtype, [&]<class T>() {
    // The cases refer to it, and live as long as they do.
    auto benches = std::make_shared<Benches<T>>(exec, sizes);
    std::vector<KernelBench> list = benches->all();
    for (auto& bench : list) bench.run = [benches, run = std::move(bench.run)] { run(); };
    return list;
  });
}

}  // namespace star
