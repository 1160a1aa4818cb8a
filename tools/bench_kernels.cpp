#include "tools/bench_kernels.h"

#include "tools/bench_cases.h"

namespace star::cli {

template <class T>
void Benches<T>::elementwise() {
  double m = double(n);
  Tensor y = out({n});
  add("fill", 0, y, [=, this] { kernels().fill(exec_, {.n = n, .value = T(1), .y = at(y)}); });
  Tensor x = in({B, H, L, d / H}), z = out({B, L, H, d / H});
  add("copy", 0, z, [=, this] { exec_.copy(x.permute({0, 2, 1, 3}), z); });
  Tensor a = in({n}), b = out({n});
  add("scale", 2 * m, b, [=, this] {
    kernels().scale(exec_, {.n = n, .factor = T(2), .shift = T(1), .x = at(a), .y = at(b)});
  });
  Tensor u = in({n}), v = out({n});
  add("unary", 4 * m, v,
      [=, this] { kernels().unary(exec_, {.op = Unary::silu, .n = n, .x = at(u), .y = at(v)}); });
  Tensor gx = in({n}), gy = in({n}), gd = in({n}), g = out({n});
  add("unary_grad", 6 * m, g, [=, this] {
    kernels().unary_grad(
        exec_, {.op = Unary::silu, .n = n, .x = at(gx), .y = at(gy), .dy = at(gd), .dx = at(g)});
  });
  Tensor ga = in({n}), gb = in({n}), gated = out({n});
  add("gated", 5 * m, gated, [=, this] {
    kernels().gated(exec_, {.f = Unary::silu, .n = n, .a = at(ga), .b = at(gb), .y = at(gated)});
  });
  Tensor ha = in({n}), hb = in({n}), hd = in({n}), da = out({n}), db = out({n});
  add("gated_grad", 9 * m, da, [=, this] {
    kernels().gated_grad(exec_, {.f = Unary::silu,
                                 .n = n,
                                 .a = at(ha),
                                 .b = at(hb),
                                 .dy = at(hd),
                                 .da = at(da),
                                 .db = at(db)});
  });
  Tensor p = in({n}), q = in({n}), r = out({n});
  add("binary", m, r, [=, this] {
    kernels().binary(exec_, {.op = Binary::mul,
                             .shape = {n},
                             .a_strides = {1},
                             .b_strides = {1},
                             .a = at(p),
                             .b = at(q),
                             .out = at(r)});
  });
  Tensor s = in({rows, d}), t = out({d});
  add("sum", m, t, [=, this] {
    kernels().sum(exec_, {.kept = {d},
                          .kept_strides = {1},
                          .reduced = {rows},
                          .reduced_strides = {d},
                          .x = at(s),
                          .y = at(t)});
  });
}

template <class T>
void Benches<T>::products() {
  int64_t m = 8 * ((d + 2) / 3);  // of a gated linear unit
  Tensor a = in({rows, d}), b = in({m, d}), c = out({rows, m});
  add("gemm", 2 * double(rows) * double(m) * double(d), c, [=, this] {
    kernels().gemm(exec_, {.m = rows,
                           .n = m,
                           .k = d,
                           .a = at(a),
                           .a_row = d,
                           .a_col = 1,
                           .b = at(b),
                           .b_row = 1,
                           .b_col = d,
                           .c = at(c),
                           .c_row = m});
  });
  Tensor token = in({1, d}), bytes = in_bytes({m, d}), y = out({1, m});
  add("quantized_product", 2 * double(m) * double(d), y, [=, this] {
    kernels().quantized_product(
        exec_, {.m = 1, .n = m, .k = d, .x = at(token), .rows = bytes.data<int8_t>(), .y = at(y)});
  });
}

template <class T>
void Benches<T>::by_row() {
  double m = double(n), scores = double(B * H * L) * double(L);
  Tensor x = in({rows, d}), w = in({d}), y = out({rows, d}), inverse = out({rows});
  add("rms_norm", 4 * m, y, [=, this] {
    kernels().rms_norm(exec_, {.rows = rows,
                               .n = d,
                               .epsilon = T(1e-5),
                               .x = at(x),
                               .w = at(w),
                               .y = at(y),
                               .inverse = at(inverse)});
  });
  Tensor gx = in({rows, d}), gw = in({d}), gi = in({rows}, 1, 2), dy = in({rows, d});
  Tensor dx = out({rows, d}), dw = out({d});
  add("rms_norm_grad", 8 * m, dx, [=, this] {
    kernels().rms_norm_grad(exec_, {.rows = rows,
                                    .n = d,
                                    .add = false,
                                    .x = at(gx),
                                    .w = at(gw),
                                    .inverse = at(gi),
                                    .dy = at(dy),
                                    .dx = at(dx),
                                    .dw = at(dw)});
  });
  Visibility causal{.queries = L, .keys = L, .offset = 0, .window = 0};
  Shape square{B * H, L, L};
  Tensor s = in(square, -4, 4), p = out(square);
  add("softmax", 4 * scores, p, [=, this] {
    kernels().softmax(
        exec_, {.rows = B * H * L, .visibility = causal, .scale = T(0.2), .x = at(s), .y = at(p)});
  });
  Tensor py = in(square, 0, 1), pd = in(square), ds = out(square);
  add("softmax_grad", 2 * scores, ds, [=, this] {
    kernels().softmax_grad(exec_, {.rows = B * H * L,
                                   .visibility = causal,
                                   .scale = T(0.2),
                                   .y = at(py),
                                   .dy = at(pd),
                                   .dx = at(ds)});
  });
  Tensor v = in(square), seen = out(square);
  add("visible", 0, seen, [=, this] {
    kernels().visible(exec_, {.rows = B * H * L, .visibility = causal, .x = at(v), .y = at(seen)});
  });
  Tensor logits = in({rows, V}, -4, 4), loss = out({rows}), grad = out({rows, V});
  Tensor targets = index();
  add("cross_entropy", 6 * double(rows) * double(V), grad, [=, this] {
    kernels().cross_entropy(exec_, {.rows = rows,
                                    .classes = V,
                                    .logits = at(logits),
                                    .targets = targets.data<int32_t>(),
                                    .loss = at(loss),
                                    .grad = at(grad),
                                    .weight = T(1) / T(rows)});
  });
}

template <class T>
void Benches<T>::tables() {
  Tensor table = in({V, d}), rows_out = out({rows, d}), ids = index();
  add("gather_rows", 0, rows_out, [=, this] {
    kernels().gather_rows(exec_, {.n = rows,
                                  .d = d,
                                  .table_rows = V,
                                  .index = ids.data<int32_t>(),
                                  .table = at(table),
                                  .y = at(rows_out)});
  });
  Tensor x = in({rows, d}), sums = out({V, d}), to = index();
  add("scatter_rows", double(n), sums, [=, this] {
    kernels().fill(exec_, {.n = V * d, .value = T(0), .y = at(sums)});
    kernels().scatter_rows(exec_, {.n = rows,
                                   .d = d,
                                   .table_rows = V,
                                   .index = to.data<int32_t>(),
                                   .x = at(x),
                                   .table = at(sums)});
  });
  Tensor g = in({n}), w = in({n}), m = out({n}), s = out({n});
  add("adamw", 15 * double(n), w, [=, this] {
    kernels().adamw(exec_, {.n = n,
                            .lr = T(1e-3),
                            .beta1 = T(0.9),
                            .beta2 = T(0.95),
                            .epsilon = T(1e-8),
                            .decay = T(0.1),
                            .correction1 = T(1),
                            .correction2 = T(1),
                            .grad_scale = T(1),
                            .g = at(g),
                            .w = at(w),
                            .m = at(m),
                            .v = at(s)});
  });
  Tensor q = in({n}), total = exec_.zeros({1}, DType::f64);
  add("sum_squares", 2 * double(n), total, [=, this] {
    double squares = 0;
    kernels().sum_squares(exec_, {.n = n, .x = at(q), .out = &squares});
    exec_.fill(total, squares);
  });
}

std::vector<KernelBench> kernel_benches(Exec& exec, DType dtype, const BenchSizes& sizes) {
  return dispatch(dtype, [&]<class T>() {
    auto benches = std::make_shared<Benches<T>>(exec, sizes);
    std::vector<KernelBench> list = benches->all();
    for (auto& bench : list) bench.run = [benches, run = std::move(bench.run)] { run(); };
    return list;
  });
}

}  // namespace star::cli
