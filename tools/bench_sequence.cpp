// The cases of kernels that work along the tokens.
#include <cmath>

#include "tools/bench_cases.h"

namespace star::cli {

template <class T>
void Benches<T>::attentions() {
  int64_t e = d / H;
  double work = double(B * H) * double(L) * double(L + 1) / 2 * double(e);
  Shape shape{B, L, d};
  Visibility causal{.queries = L, .keys = L, .offset = 0, .window = 0};
  T scale = T(1) / T(std::sqrt(double(e)));
  Tensor q = in(shape), k = in(shape), v = in(shape), y = out(shape), sums = out({B, H, L});
  auto forward = [=, this] {
    kernels().attention(exec_, {.batch = B,
                                .heads = H,
                                .group = 1,
                                .e = e,
                                .f = e,
                                .visibility = causal,
                                .scale = scale,
                                .q = at(q),
                                .k = at(k),
                                .v = at(v),
                                .y = at(y),
                                .log_sum = at(sums)});
  };
  add("attention", 4 * work, y, forward);
  forward();
  Tensor dy = in(shape), dq = out(shape), dk = out(shape), dv = out(shape);
  add("attention_grad", 10 * work, dk, [=, this] {
    kernels().attention_grad(exec_, {.batch = B,
                                     .heads = H,
                                     .group = 1,
                                     .e = e,
                                     .f = e,
                                     .visibility = causal,
                                     .scale = scale,
                                     .q = at(q),
                                     .k = at(k),
                                     .v = at(v),
                                     .y = at(y),
                                     .log_sum = at(sums),
                                     .dy = at(dy),
                                     .dq = at(dq),
                                     .dk = at(dk),
                                     .dv = at(dv)});
  });
}

template <class T>
void Benches<T>::convolutions(bool fourier, int64_t taps) {
  Tensor x = in({B, L, d}), k = in({taps, d}), y = out({B, L, d});
  double pairs = double(taps) * (double(L) - double(taps - 1) / 2),
         flops = 2 * double(B * d) * pairs;
  add(fourier ? "conv_fourier" : "conv", flops, y, [=, this] {
    auto run = fourier ? kernels().conv_fourier : kernels().conv;
    run(exec_, {.batch = B,
                .length = L,
                .channels = d,
                .taps = taps,
                .transpose = false,
                .x = at(x),
                .k = at(k),
                .y = at(y)});
  });
  Tensor gx = in({B, L, d}), dy = in({B, L, d}), dk = out({taps, d});
  add(fourier ? "conv_fourier_kernel_grad" : "conv_kernel_grad", flops, dk, [=, this] {
    auto run = fourier ? kernels().conv_fourier_kernel_grad : kernels().conv_kernel_grad;
    run(exec_, {.batch = B,
                .length = L,
                .channels = d,
                .taps = taps,
                .x = at(gx),
                .dy = at(dy),
                .dk = at(dk)});
  });
}

template <class T>
void Benches<T>::gated_convolution(int64_t taps) {
  double m = double(n), k = double(taps);
  Shape shape{B, L, d};
  Tensor c = in(shape), b = in(shape), v = in(shape), w = in({taps, d}), y = out(shape);
  add("gated_conv", (3 * k + 1) * m, y, [=, this] {
    kernels().gated_conv(exec_, {.batch = B,
                                 .length = L,
                                 .channels = d,
                                 .taps = taps,
                                 .c = at(c),
                                 .b = at(b),
                                 .v = at(v),
                                 .k = at(w),
                                 .y = at(y)});
  });
  Tensor gc = in(shape), gb = in(shape), gv = in(shape), gw = in({taps, d}), dy = in(shape);
  Tensor dc = out(shape), db = out(shape), dv = out(shape), dk = out({taps, d});
  add("gated_conv_grad", (8 * k + 4) * m, db, [=, this] {
    kernels().gated_conv_grad(exec_, {.batch = B,
                                      .length = L,
                                      .channels = d,
                                      .taps = taps,
                                      .c = at(gc),
                                      .b = at(gb),
                                      .v = at(gv),
                                      .k = at(gw),
                                      .dy = at(dy),
                                      .dc = at(dc),
                                      .db = at(db),
                                      .dv = at(dv),
                                      .dk = at(dk)});
  });
}

template <class T>
void Benches<T>::states() {
  int64_t e = d / H;
  double inside = 4 * double(kStateChunk) * double(e), across = 4 * double(e * e);
  double work = double(B * L * H) * (inside + across);
  Shape shape{B, L, d};
  Tensor q = in(shape), k = in(shape), v = in(shape), a = in({B, L, H}, 0.8, 1);
  Tensor w = in({B, L, H}), y = out(shape);
  add("matrix_state", work, y, [=, this] {
    kernels().matrix_state(exec_, {.batch = B,
                                   .length = L,
                                   .heads = H,
                                   .group = 1,
                                   .e = e,
                                   .f = e,
                                   .scale = T(0.2),
                                   .q = at(q),
                                   .k = at(k),
                                   .v = at(v),
                                   .decay = at(a),
                                   .strength = at(w),
                                   .y = at(y)});
  });
  Tensor gq = in(shape), gk = in(shape), gv = in(shape), ga = in({B, L, H}, 0.8, 1);
  Tensor gw = in({B, L, H}), dy = in(shape), dq = out(shape), dk = out(shape), dv = out(shape);
  Tensor da = out({B, L, H}), dw = out({B, L, H});
  add("matrix_state_grad", 2.5 * work, dk, [=, this] {
    kernels().matrix_state_grad(exec_, {.batch = B,
                                        .length = L,
                                        .heads = H,
                                        .group = 1,
                                        .e = e,
                                        .f = e,
                                        .scale = T(0.2),
                                        .q = at(gq),
                                        .k = at(gk),
                                        .v = at(gv),
                                        .decay = at(ga),
                                        .strength = at(gw),
                                        .dy = at(dy),
                                        .dq = at(dq),
                                        .dk = at(dk),
                                        .dv = at(dv),
                                        .d_decay = at(da),
                                        .d_strength = at(dw)});
  });
  // The delta rule takes back what a key has written: states stay small where keys are no longer
  // than 1 and strengths are positive.
  double far = 1 / std::sqrt(double(e));
  Tensor fk = in(shape, -far, far), fv = in(shape), fa = in({B, L, H}, 0.8, 1);
  Tensor fw = in({B, L, H}, 0, 1);
  Tensor x = out(shape);
  add("delta_error", work, x, [=, this] {
    kernels().delta_error(exec_, {.batch = B,
                                  .length = L,
                                  .heads = H,
                                  .e = e,
                                  .f = e,
                                  .k = at(fk),
                                  .v = at(fv),
                                  .decay = at(fa),
                                  .strength = at(fw),
                                  .x = at(x)});
  });
  Tensor bk = in(shape, -far, far), bx = in(shape), ba = in({B, L, H}, 0.8, 1);
  Tensor bw = in({B, L, H}, 0, 1);
  Tensor dx = in(shape), bdk = out(shape), bdv = out(shape), bda = out({B, L, H});
  Tensor bdw = out({B, L, H});
  add("delta_error_grad", 2.5 * work, bdk, [=, this] {
    kernels().delta_error_grad(exec_, {.batch = B,
                                       .length = L,
                                       .heads = H,
                                       .e = e,
                                       .f = e,
                                       .k = at(bk),
                                       .decay = at(ba),
                                       .strength = at(bw),
                                       .x = at(bx),
                                       .dx = at(dx),
                                       .dk = at(bdk),
                                       .dv = at(bdv),
                                       .d_decay = at(bda),
                                       .d_strength = at(bdw)});
  });
}

template <class T>
void Benches<T>::channels() {
  int64_t e = d / H;
  double inside = 6 * double(kChannelChunk) * double(e), across = 4 * double(e * e);
  double work = double(B * L * H) * (inside + across);
  Shape shape{B, L, d};
  Tensor q = in(shape), k = in(shape), v = in(shape), g = in(shape, -0.2, 0), w = in({B, L, H});
  Tensor y = out(shape);
  add("channel_state", work, y, [=, this] {
    kernels().channel_state(exec_, {.batch = B,
                                    .length = L,
                                    .heads = H,
                                    .e = e,
                                    .f = e,
                                    .scale = T(0.2),
                                    .q = at(q),
                                    .k = at(k),
                                    .v = at(v),
                                    .log_decay = at(g),
                                    .strength = at(w),
                                    .y = at(y)});
  });
  double far = 1 / std::sqrt(double(e));  // as in states()
  Tensor fk = in(shape, -far, far), fv = in(shape), fg = in(shape, -0.2, 0);
  Tensor fw = in({B, L, H}, 0, 1);
  Tensor x = out(shape);
  add("channel_error", work, x, [=, this] {
    kernels().channel_error(exec_, {.batch = B,
                                    .length = L,
                                    .heads = H,
                                    .e = e,
                                    .f = e,
                                    .k = at(fk),
                                    .v = at(fv),
                                    .log_decay = at(fg),
                                    .strength = at(fw),
                                    .x = at(x)});
  });
  Tensor bq = in(shape), bk = in(shape), bv = in(shape), bg = in(shape, -0.2, 0);
  Tensor bw = in({B, L, H});
  Tensor dy = in(shape), dq = out(shape), dk = out(shape), dv = out(shape), dg = out(shape);
  Tensor dw = out({B, L, H});
  add("channel_state_grad", 2.5 * work, dk, [=, this] {
    kernels().channel_state_grad(exec_, {.batch = B,
                                         .length = L,
                                         .heads = H,
                                         .e = e,
                                         .f = e,
                                         .scale = T(0.2),
                                         .q = at(bq),
                                         .k = at(bk),
                                         .v = at(bv),
                                         .log_decay = at(bg),
                                         .strength = at(bw),
                                         .dy = at(dy),
                                         .dq = at(dq),
                                         .dk = at(dk),
                                         .dv = at(dv),
                                         .d_log_decay = at(dg),
                                         .d_strength = at(dw)});
  });
  Tensor ek = in(shape, -far, far), eg = in(shape, -0.2, 0), ew = in({B, L, H}, 0, 1);
  Tensor ex = in(shape);
  Tensor dx = in(shape);
  Tensor gk = out(shape), gv = out(shape), gg = out(shape), gw = out({B, L, H});
  add("channel_error_grad", 2.5 * work, gk, [=, this] {
    kernels().channel_error_grad(exec_, {.batch = B,
                                         .length = L,
                                         .heads = H,
                                         .e = e,
                                         .f = e,
                                         .k = at(ek),
                                         .log_decay = at(eg),
                                         .strength = at(ew),
                                         .x = at(ex),
                                         .dx = at(dx),
                                         .dk = at(gk),
                                         .dv = at(gv),
                                         .d_log_decay = at(gg),
                                         .d_strength = at(gw)});
  });
}

template <class T>
void Benches<T>::selective() {
  double work = double(n) * double(N);
  int64_t kept = blocks_of(L, kScanChunk);
  Tensor dt = in({B, L, d}, 0.01, 0.1), A = in({N, d}, -4, -1), Bw = in({B, L, N});
  Tensor C = in({B, L, N}), v = in({B, L, d}), y = out({B, L, d}), states = out({B, kept, N, d});
  auto forward = [=, this] {
    kernels().selective_scan(exec_, {.batch = B,
                                     .length = L,
                                     .d = d,
                                     .n = N,
                                     .dt = at(dt),
                                     .A = at(A),
                                     .B = at(Bw),
                                     .C = at(C),
                                     .v = at(v),
                                     .y = at(y),
                                     .checkpoints = at(states)});
  };
  add("selective_scan", 7 * work, y, forward);
  forward();
  Tensor dy = in({B, L, d}), ddt = out({B, L, d}), dA = out({N, d}), dB = out({B, L, N});
  Tensor dC = out({B, L, N}), dv = out({B, L, d});
  add("selective_scan_grad", 21 * work, dv, [=, this] {
    kernels().selective_scan_grad(exec_, {.batch = B,
                                          .length = L,
                                          .d = d,
                                          .n = N,
                                          .dt = at(dt),
                                          .A = at(A),
                                          .B = at(Bw),
                                          .C = at(C),
                                          .v = at(v),
                                          .checkpoints = at(states),
                                          .dy = at(dy),
                                          .d_dt = at(ddt),
                                          .dA = at(dA),
                                          .dB = at(dB),
                                          .dC = at(dC),
                                          .dv = at(dv)});
  });
}

template <class T>
void Benches<T>::along_tokens() {
  double m = double(n);
  Tensor x = in({B, L, H, d / H}), y = out({B, L, H, d / H});
  add("rotary", 3 * m, y, [=, this] {
    kernels().rotary(exec_, {.batch = B,
                             .length = L,
                             .heads = H,
                             .e = d / H,
                             .position = 0,
                             .base = 10000,
                             .inverse = false,
                             .x = at(x),
                             .y = at(y)});
  });
  attentions();
  convolutions(false, 3);
  gated_convolution(3);
  convolutions(false, L);
  convolutions(true, L);
  Tensor a = in({B, L, d}, 0.8, 1), b = in({B, L, d}), h = out({B, L, d});
  add("scan", 2 * m, h, [=, this] {
    kernels().scan(exec_, {.batch = B,
                           .length = L,
                           .channels = d,
                           .reverse = false,
                           .a = at(a),
                           .b = at(b),
                           .h = at(h)});
  });
  Tensor u = in({B, L, d}), v = in({B, L, d}), gated = out({B, L, d});
  add("gated_scan", 8 * m, gated, [=, this] {
    kernels().gated_scan(
        exec_, {.batch = B, .length = L, .channels = d, .u = at(u), .v = at(v), .h = at(gated)});
  });
  Tensor gu = in({B, L, d}), gv = in({B, L, d}), gh = in({B, L, d}), dh = in({B, L, d});
  Tensor du = out({B, L, d}), dv = out({B, L, d});
  add("gated_scan_grad", 11 * m, du, [=, this] {
    kernels().gated_scan_grad(exec_, {.batch = B,
                                      .length = L,
                                      .channels = d,
                                      .u = at(gu),
                                      .v = at(gv),
                                      .h = at(gh),
                                      .dh = at(dh),
                                      .du = at(du),
                                      .dv = at(dv)});
  });
  states();
  channels();
  int64_t c = 32, chunks = B * L / c;
  Tensor decays = in({chunks, c, H}, 0.8, 1), G = out({chunks, H, c, c});
  add("decay", double(G.numel()) / 2, G, [=, this] {
    kernels().decay(exec_,
                    {.batch = chunks, .length = c, .channels = H, .a = at(decays), .y = at(G)});
  });
  Tensor ga = in({chunks, c, H}, 0.8, 1), gy = in({chunks, H, c, c}, 0, 1);
  Tensor gd = in({chunks, H, c, c}), da = out({chunks, c, H});
  add("decay_grad", 2 * double(G.numel()), da, [=, this] {
    kernels().decay_grad(exec_, {.batch = chunks,
                                 .length = c,
                                 .channels = H,
                                 .a = at(ga),
                                 .y = at(gy),
                                 .dy = at(gd),
                                 .da = at(da)});
  });
  selective();
}

template void Benches<float>::along_tokens();
template void Benches<double>::along_tokens();

}  // namespace star::cli
