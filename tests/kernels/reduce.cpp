#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct Axes {
  Shape kept, reduced;
};
// From none to all axes, around the runs of 64 terms, and large enough to be cut into tasks.
const Axes kAxes[] = {{{}, {}},         {{5}, {}},        {{}, {1}},
                      {{}, {33}},       {{}, {129}},      {{7}, {31}},
                      {{31}, {7}},      {{129}, {3}},     {{3}, {129}},
                      {{2, 17}, {5}},   {{5}, {2, 17}},   {{2, 3}, {9, 16}},
                      {{64}, {65}},     {{1, 1}, {1, 1}}, {{3, 2, 5}, {4, 2, 3}},
                      {{4}, {0}},       {{0}, {4}},       {{0}, {0}},
                      {{3, 0, 2}, {5}}, {{300}, {257}},   {{2, 150}, {3, 90}},
                      {{}, {70000}},    {{40000}, {3}},   {{}, {30000, 2}}};

// The axes of a view shared out between the kept and the reduced ones.
Sum<double> strides_of(const Axes& axes, const Tensor& x) {
  Sum<double> sum{.kept = axes.kept,
                  .kept_strides = {},
                  .reduced = axes.reduced,
                  .reduced_strides = {},
                  .x = nullptr,
                  .y = nullptr};
  for (int i = 0; i < x.rank(); ++i)
    (i < axes.kept.rank() ? sum.kept_strides : sum.reduced_strides).push_back(x.stride(i));
  return sum;
}

Shape joined(Shape a, const Shape& b) {
  for (int64_t d : b) a.push_back(d);
  return a;
}

}  // namespace

KERNEL_CASE(sum) {
  for (const Axes& axes : kAxes)
    for (int layout = 0; layout < 4; ++layout) {
      CAPTURE(fmt::format("{}", axes.kept));
      CAPTURE(fmt::format("{}", axes.reduced));
      CAPTURE(layout);
      // Contiguous with the reduced axes last, then first, then anything.
      Tensor x;
      if (layout == 0) {
        x = s.random_tensor(joined(axes.kept, axes.reduced));
      } else if (layout == 1) {
        std::vector<int> order;
        int reduced = axes.reduced.rank(), rank = reduced + axes.kept.rank();
        for (int i = 0; i < rank; ++i) order.push_back((i + reduced) % rank);
        x = s.random_tensor(joined(axes.reduced, axes.kept)).permute(order);
      } else {
        x = s.random_view(joined(axes.kept, axes.reduced), true);
      }
      auto at = strides_of(axes, x);
      Array<T> y(axes.kept.numel());
      s.kernels().sum(s.exec, {.kept = at.kept,
                               .kept_strides = at.kept_strides,
                               .reduced = at.reduced,
                               .reduced_strides = at.reduced_strides,
                               .x = x.data<T>(),
                               .y = y});
      Doubles terms = x.to_doubles(), sums;
      size_t count = size_t(axes.reduced.numel());
      double sizes = 0;  // the largest sum of the terms' sizes
      for (size_t i = 0; i < size_t(y.size()); ++i) {
        long double total = 0, size = 0;
        for (size_t r = 0; r < count; ++r) {
          total += terms[i * count + r];
          size += std::abs(terms[i * count + r]);
        }
        sums.push_back(double(total));
        sizes = std::max(sizes, double(size));
      }
      // Runs of 64 terms, and the sum of the runs: so many roundings at most, each of half an
      // epsilon of the terms' sizes.
      double roundings = 64 + double(count) / 64;
      s.near(
          y, [&] { return sums; }, sizes, roundings * s.kEpsilon / 2);
    }
}

KERNEL_CASE(sum_squares) {
  std::vector<int64_t> sizes(std::begin(kAwkward), std::end(kAwkward));
  sizes.insert(sizes.end(), {0, 16383, 16384, 16385, 50001});
  for (int64_t n : sizes) {
    CAPTURE(n);
    Array<T> x = s.random(n);
    double total = -1;
    long double expected = 0;
    s.kernels().sum_squares(s.exec, {.n = n, .x = x, .out = &total});
    s.outputs.push_back(total);
    for (long double v : x.doubles()) expected += v * v;
    // Runs of 64 squares are added in T, and their sums in double.
    CHECK(double(std::abs(total - expected)) <= 8 * s.kEpsilon * double(expected));
  }
}
