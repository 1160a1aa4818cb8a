#include <map>

#include "tests/kernels/cases.h"

using namespace star;

namespace {

// A loop of 40000 elements is cut into tasks.
std::vector<int64_t> sizes() {
  std::vector<int64_t> all(std::begin(kAwkward), std::end(kAwkward));
  all.insert(all.end(), {0, 40000});
  return all;
}

const Shape kViewShapes[] = {{},
                             {1},
                             {33},
                             {129},
                             {5, 1},
                             {31, 17},
                             {1, 9, 1},
                             {2, 3, 5},
                             {3, 1, 16, 2},
                             {0},
                             {4, 0, 3},
                             {7, 2, 3},
                             {150, 257},
                             {40000},
                             {2, 130, 2, 129},
                             {2, 2, 2, 1, 2, 3, 2, 2}};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Inputs are uniform in lo … hi; where f passes through 0, its error is relative to `floor`. That
// of the derivative is relative to `slope_floor`: it may subtract numbers of size 1, as in
// y (1 − y), and silu's then multiplies by x.
struct UnaryReference {
  double lo, hi, floor;
  double (*f)(double);
  double (*df)(double);
  double slope_floor = 1;
};
#define OF(expression) [](double x) -> double { return expression; }
const std::map<std::string, UnaryReference> kUnary = {
    {"exp", {-80, 80, 0, OF(std::exp(x)), OF(std::exp(x))}},
    {"log", {0.01, 30, 1, OF(std::log(x)), OF(1 / x)}},
    {"square", {-20, 20, 0, OF(x* x), OF(2 * x)}},
    {"sqrt", {0.01, 400, 0, OF(std::sqrt(x)), OF(0.5 / std::sqrt(x))}},
    {"sin", {-100, 100, 1, OF(std::sin(x)), OF(std::cos(x))}},
    {"sigmoid", {-80, 80, 0, OF(sigmoid(x)), OF(sigmoid(x) * sigmoid(-x))}},
    {"silu", {-80, 80, 0, OF(x* sigmoid(x)), OF(sigmoid(x) + x * sigmoid(x) * sigmoid(-x)), 10}},
    {"relu", {-5, 5, 0, OF(x > 0 ? x : 0), OF(x > 0 ? 1 : 0)}},
    {"softplus",
     {-80, 80, 0, OF(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x))),
      OF(sigmoid(x))}},
    {"elu_plus_one", {-80, 80, 0, OF(x > 0 ? x + 1 : std::exp(x)), OF(x > 0 ? 1 : std::exp(x))}},
};
#undef OF

struct NamedUnary {
  std::string name;
  Unary op;
};
const NamedUnary kUnaryOps[] = {
#define ITEM(name, functor) {#name, Unary::name},
    STAR_UNARY(ITEM)
#undef ITEM
};

template <class F>
Doubles mapped(const Doubles& x, F f) {
  Doubles y;
  for (double v : x) y.push_back(f(v));
  return y;
}

template <class T>
Array<T> array_of(const Doubles& values) {
  Array<T> x(int64_t(values.size()));
  for (size_t i = 0; i < values.size(); ++i) x[int64_t(i)] = T(values[i]);
  return x;
}

// The elements of a contiguous tensor.
template <class T>
Array<T> array_of(const Tensor& t) {
  return array_of<T>(t.to_doubles());
}

}  // namespace

KERNEL_CASE(fill) {
  for (int64_t n : sizes()) {
    CAPTURE(n);
    Array<T> y(n);
    s.kernels().fill(s.exec, {.n = n, .value = T(1.25), .y = y});
    s.equal(y, [&] { return Doubles(size_t(n), 1.25); });
  }
}

KERNEL_CASE(copy) {
  for (const Shape& shape : kViewShapes)
    for (bool accumulate : {false, true})
      for (int layout = 0; layout < 3; ++layout) {
        CAPTURE(fmt::format("{}", shape));
        Tensor memory, src = s.random_view(shape, true);
        Tensor dst = layout == 0 ? s.random_tensor(shape) : s.random_view(shape, false, &memory);
        if (layout == 0) memory = dst;
        Doubles expected = memory.to_doubles(), values = src.to_doubles();
        for_each_offset(shape, dst.strides(), [&](int64_t i, int64_t offset) {
          double& e = expected[size_t(dst.data<T>() - memory.data<T>() + offset)];
          e = accumulate ? double(T(e + values[size_t(i)])) : values[size_t(i)];
        });
        s.kernels().copy(s.exec, {.shape = shape,
                                  .src_strides = src.strides(),
                                  .dst_strides = dst.strides(),
                                  .src = src.data<T>(),
                                  .dst = dst.data<T>(),
                                  .accumulate = accumulate});
        s.equal(array_of<T>(memory), [&] { return expected; });
      }
}

KERNEL_CASE(scale) {
  for (int64_t n : sizes())
    for (bool in_place : {false, true}) {
      CAPTURE(n);
      Array<T> x = s.random(n), y = in_place ? x : Array<T>(n);
      Doubles before = x.doubles();
      s.kernels().scale(s.exec,
                        {.n = n, .factor = T(-3), .shift = T(0.5), .x = in_place ? y : x, .y = y});
      s.near_each(
          y, [&] { return mapped(before, [](double v) { return -3 * v + 0.5; }); }, 1);
    }
}

KERNEL_CASE(unary) {
  for (auto& [name, op] : kUnaryOps) {
    CAPTURE(name);
    REQUIRE(kUnary.count(name) == 1);
    const UnaryReference& reference = kUnary.at(name);
    for (int64_t n : sizes()) {
      Array<T> x = s.random(n, reference.lo, reference.hi), y(n);
      s.kernels().unary(s.exec, {.op = op, .n = n, .x = x, .y = y});
      s.near_each(
          y, [&] { return mapped(x.doubles(), reference.f); }, reference.floor);
    }
  }
}

KERNEL_CASE(unary_grad) {
  for (auto& [name, op] : kUnaryOps) {
    CAPTURE(name);
    const UnaryReference& reference = kUnary.at(name);
    for (int64_t n : sizes()) {
      Array<T> x = s.random(n, reference.lo, reference.hi), dy = s.random(n, 0.5, 1), dx(n);
      Array<T> y = array_of<T>(mapped(x.doubles(), reference.f));
      s.kernels().unary_grad(s.exec, {.op = op, .n = n, .x = x, .y = y, .dy = dy, .dx = dx});
      auto expected = [&] {
        Doubles d = mapped(x.doubles(), reference.df);
        for (size_t i = 0; i < d.size(); ++i) d[i] *= dy[int64_t(i)];
        return d;
      };
      s.near_each(dx, expected, reference.slope_floor);
    }
  }
}

KERNEL_CASE(gated) {
  for (auto& [name, op] : kUnaryOps) {
    CAPTURE(name);
    const UnaryReference& reference = kUnary.at(name);
    for (int64_t n : sizes()) {
      Array<T> a = s.random(n, reference.lo, reference.hi), b = s.random(n, 0.5, 1), y(n);
      s.kernels().gated(s.exec, {.f = op, .n = n, .a = a, .b = b, .y = y});
      auto expected = [&] {
        Doubles f = mapped(a.doubles(), reference.f);
        for (size_t i = 0; i < f.size(); ++i) f[i] *= b[int64_t(i)];
        return f;
      };
      s.near_each(y, expected, reference.floor);
    }
  }
}

KERNEL_CASE(gated_grad) {
  for (auto& [name, op] : kUnaryOps) {
    CAPTURE(name);
    const UnaryReference& reference = kUnary.at(name);
    for (int64_t n : sizes()) {
      Array<T> a = s.random(n, reference.lo, reference.hi), b = s.random(n, 0.5, 1);
      Array<T> dy = s.random(n, 0.5, 1), da(n), db(n);
      s.kernels().gated_grad(s.exec,
                             {.f = op, .n = n, .a = a, .b = b, .dy = dy, .da = da, .db = db});
      auto times = [&](double (*f)(double), const Array<T>* factor) {
        Doubles d = mapped(a.doubles(), f);
        for (size_t i = 0; i < d.size(); ++i)
          d[i] *= double(dy[int64_t(i)]) * (factor ? double((*factor)[int64_t(i)]) : 1);
        return d;
      };
      s.near_each(
          da, [&] { return times(reference.df, &b); }, reference.slope_floor);
      s.near_each(
          db, [&] { return times(reference.f, nullptr); }, reference.floor);
    }
  }
}

KERNEL_CASE(binary) {
  struct Op {
    Binary op;
    double (*f)(double, double);
  };
  const Op ops[] = {{Binary::add, [](double a, double b) { return a + b; }},
                    {Binary::sub, [](double a, double b) { return a - b; }},
                    {Binary::mul, [](double a, double b) { return a * b; }},
                    {Binary::div, [](double a, double b) { return a / b; }}};
#define ITEM(name, functor) +1
  static_assert(std::size(ops) == 0 STAR_BINARY(ITEM));
#undef ITEM
  for (const Shape& shape : kViewShapes)
    for (auto& [op, f] : ops)
      for (bool plain : {false, true}) {
        CAPTURE(fmt::format("{}", shape));
        Tensor a = plain ? s.random_tensor(shape) : s.random_view(shape, true);
        Tensor b = s.random_view(shape, true);
        Array<T> out(shape.numel());
        s.kernels().binary(s.exec, {.op = op,
                                    .shape = shape,
                                    .a_strides = a.strides(),
                                    .b_strides = b.strides(),
                                    .a = a.data<T>(),
                                    .b = b.data<T>(),
                                    .out = out});
        auto expected = [&] {
          Doubles x = a.to_doubles(), y = b.to_doubles();
          for (size_t i = 0; i < x.size(); ++i) x[i] = f(x[i], y[i]);
          return x;
        };
        s.near_each(out, expected, 1);
      }
}

TEST_CASE_TEMPLATE("elementwise functions far from 0", T, float, double) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  struct Limit {
    Unary op;
    double x, y;
  };
  const Limit limits[] = {{Unary::exp, -inf, 0},
                          {Unary::exp, -1000, 0},
                          {Unary::exp, 0, 1},
                          {Unary::sigmoid, 1000, 1},
                          {Unary::sigmoid, -1000, 0},
                          {Unary::silu, 1000, 1000},
                          {Unary::silu, -1000, 0},
                          {Unary::relu, -inf, 0},
                          {Unary::relu, inf, inf},
                          {Unary::softplus, 1000, 1000},
                          {Unary::softplus, -1000, 0},
                          {Unary::softplus, inf, inf},
                          {Unary::softplus, -inf, 0},
                          {Unary::elu_plus_one, -1000, 0},
                          {Unary::elu_plus_one, 1000, 1001},
                          {Unary::log, 0, -inf},
                          {Unary::sqrt, 0, 0}};
  for (auto [backend, threads] : places())
    for (auto [op, x, y] : limits) {
      Session<T> s(*backend, 1);
      CAPTURE(backend->target);
      CAPTURE(int(op));
      CAPTURE(x);
      Array<T> in(19, T(x)), out(19);
      s.kernels().unary(s.exec, {.op = op, .n = 19, .x = in, .y = out});
      s.equal(out, [&] { return Doubles(19, y); });
    }
}
