#include "tests/kernels/cases.h"

using namespace star;

namespace {

struct RowShape {
  int64_t rows, n;
};
// Every awkward width, no rows, and enough of them to be cut into tasks.
std::vector<RowShape> row_shapes() {
  std::vector<RowShape> all;
  for (int64_t n : kAwkward) all.push_back({3, n});
  for (RowShape more : {RowShape{0, 5}, {1, 33}, {9, 300}, {700, 65}, {6000, 7}})
    all.push_back(more);
  return all;
}

struct MaskCase {
  int64_t heads;  // rows = heads · queries
  Visibility v;   // queries, keys, offset, window
  int64_t rows() const { return heads * v.queries; }
};
const MaskCase kMasks[] = {{1, {1, 1, 0, 0}},     {3, {1, 127, 126, 0}},  {2, {33, 33, 0, 0}},
                           {2, {33, 33, 0, 1}},   {2, {33, 33, 0, 7}},    {1, {33, 40, 3, 0}},
                           {2, {31, 129, 98, 0}}, {1, {31, 129, 98, 16}}, {3, {5, 128, 123, 17}},
                           {1, {8, 8, 0, 100}},   {0, {3, 3, 0, 0}},      {5, {129, 129, 0, 0}},
                           {3, {128, 150, 9, 33}}};

// A query sees no later key, and with a window only the nearest.
bool sees(const Visibility& v, int64_t row, int64_t key) {
  int64_t position = v.offset + row % v.queries;
  return key <= position && (v.window == 0 || key > position - v.window);
}

Doubles naive_softmax(const MaskCase& mask, double factor, const Doubles& x) {
  int64_t keys = mask.v.keys;
  Doubles y(x.size(), 0.0);
  for (int64_t row = 0; row < mask.rows(); ++row) {
    double peak = -INFINITY, total = 0;
    for (int64_t j = 0; j < keys; ++j)
      if (sees(mask.v, row, j)) peak = std::max(peak, factor * x[size_t(row * keys + j)]);
    for (int64_t j = 0; j < keys; ++j) {
      if (!sees(mask.v, row, j)) continue;
      size_t at = size_t(row * keys + j);
      y[at] = peak == -INFINITY ? 1 : std::exp(factor * x[at] - peak);
      total += y[at];
    }
    for (int64_t j = 0; j < keys; ++j) y[size_t(row * keys + j)] /= total;
  }
  return y;
}

Doubles naive_rms_norm(RowShape shape, double epsilon, const Doubles& x, const Doubles& w,
                       Doubles* inverse) {
  Doubles y;
  for (int64_t row = 0; row < shape.rows; ++row) {
    double squares = 0;
    for (int64_t i = 0; i < shape.n; ++i) squares += std::pow(x[size_t(row * shape.n + i)], 2);
    inverse->push_back(1 / std::sqrt(squares / double(shape.n) + epsilon));
    for (int64_t i = 0; i < shape.n; ++i)
      y.push_back(x[size_t(row * shape.n + i)] * inverse->back() * w[size_t(i)]);
  }
  return y;
}

}  // namespace

KERNEL_CASE(rms_norm) {
  for (RowShape shape : row_shapes()) {
    auto [rows, n] = shape;
    CAPTURE(rows);
    CAPTURE(n);
    Array<T> x = s.random(rows * n, -2, 3), w = s.random(n), y(rows * n), inverse(rows);
    T epsilon = T(1e-3);
    s.kernels().rms_norm(
        s.exec,
        {.rows = rows, .n = n, .epsilon = epsilon, .x = x, .w = w, .y = y, .inverse = inverse});
    Doubles scales, out = naive_rms_norm(shape, epsilon, x.doubles(), w.doubles(), &scales);
    s.near(y, [&] { return out; });
    s.near(inverse, [&] { return scales; });
  }
}

// By the Jacobian: ∂y_j/∂x_i = w_j (r δ_ij − x_i x_j r³ / n).
KERNEL_CASE(rms_norm_grad) {
  for (auto [rows, n] : row_shapes()) {
    CAPTURE(rows);
    CAPTURE(n);
    Array<T> x = s.random(rows * n, -2, 3), w = s.random(n), dy = s.random(rows * n);
    Doubles scales;
    naive_rms_norm({rows, n}, 1e-3, x.doubles(), w.doubles(), &scales);
    bool add = s.rng.chance(0.5);
    Array<T> inverse(rows), dx = add ? s.random(rows * n) : Array<T>(rows * n), dw = s.random(n);
    for (int64_t row = 0; row < rows; ++row) inverse[row] = T(scales[size_t(row)]);
    Doubles expected_dw = dw.doubles(), expected_dx(size_t(rows * n), 0.0);
    if (add) expected_dx = dx.doubles();
    double largest = 0;  // of the terms of dx, which cancel where n = 1
    for (int64_t row = 0; row < rows; ++row) {
      double r = scales[size_t(row)];
      for (int64_t i = 0; i < n; ++i) {
        double xi = x[row * n + i];
        expected_dw[size_t(i)] += double(dy[row * n + i]) * xi * r;
        largest = std::max(largest, r * std::abs(double(dy[row * n + i]) * double(w[i])));
        for (int64_t j = 0; j < n; ++j)
          expected_dx[size_t(row * n + i)] +=
              double(dy[row * n + j]) * double(w[j]) *
              ((i == j ? r : 0) - xi * double(x[row * n + j]) * r * r * r / double(n));
      }
    }
    s.kernels().rms_norm_grad(s.exec, {.rows = rows,
                                       .n = n,
                                       .add = add,
                                       .x = x,
                                       .w = w,
                                       .inverse = inverse,
                                       .dy = dy,
                                       .dx = dx,
                                       .dw = dw});
    s.near(
        dx, [&] { return expected_dx; }, largest);
    s.near(dw, [&] { return expected_dw; });
  }
}

KERNEL_CASE(softmax) {
  for (const MaskCase& mask : kMasks)
    for (double hidden : {0.0, 0.4, 1.0})  // the share of scores that are −∞
      for (double range : {3.0, 1e4}) {
        CAPTURE(mask.v.queries);
        CAPTURE(mask.v.keys);
        CAPTURE(hidden);
        CAPTURE(range);
        int64_t n = mask.rows() * mask.v.keys;
        Array<T> x = s.random(n, -range, range), y(n);
        for (int64_t i = 0; i < n; ++i)
          if (s.rng.chance(hidden)) x[i] = -std::numeric_limits<T>::infinity();
        // A power of two: large scores times another factor would be rounded.
        T factor = T(0.125);
        Doubles scores = x.doubles();
        bool in_place = s.rng.chance(0.5);
        if (in_place) y = x;
        s.kernels().softmax(s.exec, {.rows = mask.rows(),
                                     .visibility = mask.v,
                                     .scale = factor,
                                     .x = in_place ? y : x,
                                     .y = y});
        s.near(y, [&] { return naive_softmax(mask, factor, scores); });
      }
}

// By the Jacobian: ∂y_j/∂x_i = factor · y_i (δ_ij − y_j).
KERNEL_CASE(softmax_grad) {
  for (const MaskCase& mask : kMasks) {
    CAPTURE(mask.v.queries);
    CAPTURE(mask.v.keys);
    int64_t keys = mask.v.keys, n = mask.rows() * keys;
    T factor = T(0.3);
    Array<T> y(n), dy = s.random(n), dx(n);
    Doubles probabilities = naive_softmax(mask, 1, s.random(n, -2, 2).doubles());
    for (int64_t i = 0; i < n; ++i) y[i] = T(probabilities[size_t(i)]);
    Doubles slopes = dy.doubles();
    bool in_place = s.rng.chance(0.5);
    if (in_place) dx = dy;
    s.kernels().softmax_grad(s.exec, {.rows = mask.rows(),
                                      .visibility = mask.v,
                                      .scale = factor,
                                      .y = y,
                                      .dy = in_place ? dx : dy,
                                      .dx = dx});
    s.near(dx, [&] {
      Doubles expected(size_t(n), 0.0);
      for (int64_t row = 0; row < mask.rows(); ++row)
        for (int64_t i = 0; i < keys; ++i)
          for (int64_t j = 0; j < keys; ++j) {
            if (!sees(mask.v, row, i) || !sees(mask.v, row, j)) continue;
            double yi = y[row * keys + i], yj = y[row * keys + j];
            expected[size_t(row * keys + i)] +=
                factor * yi * ((i == j ? 1 : 0) - yj) * slopes[size_t(row * keys + j)];
          }
      return expected;
    });
  }
}

KERNEL_CASE(visible) {
  for (const MaskCase& mask : kMasks)
    for (bool in_place : {false, true}) {
      CAPTURE(mask.v.queries);
      CAPTURE(mask.v.keys);
      int64_t keys = mask.v.keys, n = mask.rows() * keys;
      Array<T> x = s.random(n), y(n);
      Doubles expected(size_t(n), 0.0);
      for (int64_t row = 0; row < mask.rows(); ++row)
        for (int64_t j = 0; j < keys; ++j)
          if (sees(mask.v, row, j)) expected[size_t(row * keys + j)] = double(x[row * keys + j]);
      if (in_place) y = x;
      s.kernels().visible(
          s.exec, {.rows = mask.rows(), .visibility = mask.v, .x = in_place ? y : x, .y = y});
      s.equal(y, [&] { return expected; });
    }
}

KERNEL_CASE(cross_entropy) {
  std::vector<RowShape> shapes = row_shapes();
  shapes.push_back({20, 2000});
  for (auto [rows, n] : shapes)
    for (double range : {2.0, 300.0})
      for (bool with_grad : {true, false}) {
        CAPTURE(rows);
        CAPTURE(n);
        CAPTURE(range);
        Array<T> x = s.random(rows * n, -range, range), loss(rows), grad(rows * n), hit(rows);
        std::vector<int32_t> targets;
        for (int64_t row = 0; row < rows; ++row) {
          targets.push_back(s.rng.chance(0.3) ? -100 : int32_t(s.rng.below(uint32_t(n))));
          int64_t other = s.rng.below(uint32_t(n));  // a class that cannot be
          if (other != targets.back()) x[row * n + other] = -std::numeric_limits<T>::infinity();
          // Often the target is among the greatest, now and then behind an equal one.
          if (targets.back() < 0 || s.rng.chance(0.4)) continue;
          T& greatest = x[row * n + targets.back()];
          greatest = T(range);
          if (s.rng.chance(0.5)) x[row * n + int64_t(s.rng.below(uint32_t(n)))] = T(range);
        }
        Array<int32_t> classes(targets);
        T weight = T(0.25);
        Doubles losses(size_t(rows), 0.0), slopes(size_t(rows * n), 0.0), hits(size_t(rows), 0.0);
        for (int64_t row = 0; row < rows; ++row) {
          int64_t target = targets[size_t(row)];
          if (target < 0) continue;
          double peak = -INFINITY, total = 0;
          for (int64_t j = 0; j < n; ++j) peak = std::max(peak, double(x[row * n + j]));
          for (int64_t j = 0; j < n; ++j) total += std::exp(double(x[row * n + j]) - peak);
          int64_t first = 0;
          while (double(x[row * n + first]) < peak) ++first;
          hits[size_t(row)] = first == target;
          losses[size_t(row)] = std::log(total) + peak - double(x[row * n + target]);
          for (int64_t j = 0; j < n; ++j)
            slopes[size_t(row * n + j)] =
                weight * (std::exp(double(x[row * n + j]) - peak) / total - (j == target));
        }
        T* wanted = with_grad ? grad.data() : nullptr;
        T* judged = with_grad ? nullptr : hit.data();
        s.kernels().cross_entropy(s.exec, {.rows = rows,
                                           .classes = n,
                                           .logits = x,
                                           .targets = classes,
                                           .loss = loss,
                                           .grad = wanted,
                                           .hit = judged,
                                           .weight = weight});
        // The loss is a difference of numbers as large as the logits.
        s.near(
            loss, [&] { return losses; }, range);
        // So is the slope at a target that is nearly certain, of the weight and its share of it.
        if (with_grad)
          s.near(
              grad, [&] { return slopes; }, double(weight));
        if (judged) s.equal(hit, [&] { return hits; });
      }
}
