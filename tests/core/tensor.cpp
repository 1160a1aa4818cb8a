#include "core/tensor.h"

#include <doctest/doctest.h>

#include <numeric>

#include "core/exec.h"
#include "core/rng.h"
#include "cpu/cpu.h"

using namespace star;

namespace {

// Elements 0, 1, 2, … in row-major order.
Tensor counting(Exec& exec, const Shape& shape, DType dtype = DType::f64) {
  std::vector<double> values(size_t(shape.numel()));
  std::iota(values.begin(), values.end(), 0);
  return exec.from(shape, values, dtype);
}

// The obvious tensor: an element for each list of indices.
struct Naive {
  Shape shape;
  std::vector<double> values;

  // A tensor of this shape whose element at `index` is f(index).
  template <class F>
  static Naive of(const Shape& shape, F f) {
    Naive out{shape, {}};
    std::vector<int64_t> index(size_t(shape.rank()), 0);
    for (int64_t i = 0; i < shape.numel(); ++i) {
      int64_t rest = i;
      for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        index[size_t(axis)] = rest % shape[axis];
        rest /= shape[axis];
      }
      out.values.push_back(f(index));
    }
    return out;
  }
  double at(const std::vector<int64_t>& index) const {
    int64_t i = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) i = i * shape[axis] + index[size_t(axis)];
    return values[size_t(i)];
  }
};

void check_same(const Tensor& t, const Naive& naive) {
  REQUIRE(t.shape() == naive.shape);
  REQUIRE(t.to_doubles() == naive.values);
}

// One random view operation on both.
void step(Rng& rng, Tensor& t, Naive& naive) {
  int rank = t.rank();
  Naive old = naive;
  auto axis_of = [&] { return int(rng.below(uint32_t(rank))); };
  switch (rank == 0 ? 4 : rng.below(6)) {
    case 0: {
      std::vector<int> order(size_t(rank), 0);
      std::iota(order.begin(), order.end(), 0);
      rng.shuffle(order);
      Shape shape;
      for (int axis : order) shape.push_back(old.shape[axis]);
      t = t.permute(order);
      naive = Naive::of(shape, [&](const std::vector<int64_t>& index) {
        std::vector<int64_t> from(index.size());
        for (size_t i = 0; i < from.size(); ++i) from[size_t(order[i])] = index[i];
        return old.at(from);
      });
      break;
    }
    case 1: {
      int axis = axis_of();
      int64_t start = rng.below(uint32_t(old.shape[axis] + 1));
      int64_t length = rng.below(uint32_t(old.shape[axis] - start + 1));
      if (length == 0 && rng.chance(0.9)) return;  // empty tensors, but not always
      t = t.narrow(rng.chance(0.5) ? axis : axis - rank, start, length);
      naive = Naive::of(old.shape.with(axis, length), [&](std::vector<int64_t> index) {
        index[size_t(axis)] += start;
        return old.at(index);
      });
      break;
    }
    case 2: {
      int axis = axis_of();
      if (old.shape[axis] == 0) return;
      int64_t at = rng.below(uint32_t(old.shape[axis]));
      Shape shape;
      for (int i = 0; i < rank; ++i)
        if (i != axis) shape.push_back(old.shape[i]);
      t = t.select(axis, at);
      naive = Naive::of(shape, [&](std::vector<int64_t> index) {
        index.insert(index.begin() + axis, at);
        return old.at(index);
      });
      break;
    }
    case 3: {
      int axis = axis_of();
      t = t.flip(rng.chance(0.5) ? axis : axis - rank);
      naive = Naive::of(old.shape, [&](std::vector<int64_t> index) {
        index[size_t(axis)] = old.shape[axis] - 1 - index[size_t(axis)];
        return old.at(index);
      });
      break;
    }
    case 4: {
      if (rank == 5) return;
      int axis = int(rng.below(uint32_t(rank + 1)));
      int64_t copies = 1 + rng.below(3);
      t = t.unsqueeze(rng.chance(0.5) ? axis : axis - rank - 1);
      Shape shape = t.shape().with(axis, copies);
      t = t.expand(shape);
      naive = Naive::of(shape, [&](std::vector<int64_t> index) {
        index.erase(index.begin() + axis);
        return old.at(index);
      });
      break;
    }
    default: {
      if (!t.contiguous()) return;
      t = t.reshape({1, t.numel()}).reshape({t.numel()}).reshape(old.shape);
    }
  }
}

}  // namespace

TEST_CASE("tensor: chains of views show the elements that they should") {
  Exec exec(cpu_backend());
  for (uint64_t i = 0; i < 300; ++i) {
    Rng rng(1, "views", i);
    Shape shape;
    for (uint32_t axes = rng.below(4); axes > 0; --axes) shape.push_back(1 + rng.below(4));
    DType dtype = rng.chance(0.5) ? DType::f32 : DType::f64;
    Tensor whole = counting(exec, shape, dtype), t = whole;
    Naive naive{shape, whole.to_doubles()};
    for (int j = 0; j < 8; ++j) {
      step(rng, t, naive);
      check_same(t, naive);
      Tensor packed = exec.contiguous(t);
      CHECK(packed.contiguous());
      check_same(packed, naive);
    }
  }
}

TEST_CASE("tensor: contiguous strides, and which views are contiguous") {
  Exec exec(cpu_backend());
  CHECK(contiguous_strides({2, 3, 4}) == Shape{12, 4, 1});
  CHECK(contiguous_strides({}) == Shape{});
  Tensor t = counting(exec, {2, 3, 4});
  CHECK(t.strides() == Shape{12, 4, 1});
  CHECK(t.size(-1) == 4);
  CHECK(t.stride(-3) == 12);
  CHECK(t.narrow(0, 1, 1).contiguous());
  CHECK(t.select(0, 1).contiguous());
  CHECK(t.select(0, 1).permute({0, 1}).reshape({12}).to_doubles()[0] == 12);
  CHECK_FALSE(t.narrow(1, 0, 2).contiguous());
  CHECK_FALSE(t.flip(2).contiguous());
  CHECK_FALSE(t.permute({0, 2, 1}).contiguous());
  CHECK_FALSE(t.unsqueeze(0).expand({2, 2, 3, 4}).contiguous());
  // An axis of size 1 has no stride to speak of.
  CHECK(counting(exec, {1, 5}).permute({1, 0}).contiguous());
  CHECK(counting(exec, {0, 3}).contiguous());
  CHECK(counting(exec, {}).contiguous());
}

TEST_CASE("tensor: copies share memory, and the last one gives it back") {
  Exec exec(cpu_backend());
  {
    Tensor a = exec.zeros({3, 4}, DType::f32);
    size_t live = exec.arena().live_bytes();
    CHECK(a.unique());
    Tensor b = a.select(0, 1);
    CHECK_FALSE(a.unique());
    b.data<float>()[2] = 5;
    CHECK(a.to_doubles()[6] == 5);
    Tensor c = std::move(b);
    CHECK_FALSE(b.defined());  // NOLINT(bugprone-use-after-move): what is left is what is asked
    a = Tensor();
    CHECK(c.unique());
    CHECK(exec.arena().live_bytes() == live);
    const Tensor& alias = c;
    c = alias;
    CHECK(c.to_doubles() == std::vector<double>{0, 0, 5, 0});
  }
  CHECK(exec.arena().live_bytes() == 0);
}

TEST_CASE("tensor: the same step again allocates nothing") {
  Exec exec(cpu_backend());
  auto run = [&] {
    Tensor sum = exec.zeros({33, 17}, DType::f64);
    for (int i = 0; i < 5; ++i) {
      Tensor term = counting(exec, {17, 33}).permute({1, 0});
      exec.copy(exec.contiguous(term), sum, true);
    }
    return sum.to_doubles();
  };
  auto first = run();
  int64_t allocations = exec.arena().system_allocations();
  CHECK(run() == first);
  CHECK(exec.arena().system_allocations() == allocations);
  CHECK(exec.arena().live_bytes() == 0);
}

TEST_CASE("tensor: values in and out, in each type") {
  Exec exec(cpu_backend());
  std::vector<double> values = {0.1, -2, 3e30, 0, 5, -0.0};
  CHECK(exec.from({2, 3}, values, DType::f64).to_doubles() == values);
  auto rounded = exec.from({2, 3}, values, DType::f32).to_doubles();
  for (size_t i = 0; i < values.size(); ++i) CHECK(rounded[i] == double(float(values[i])));
  std::vector<int32_t> integers = {-100, 7, INT32_MAX};
  Tensor t = exec.from({3}, integers);
  CHECK(t.dtype() == DType::i32);
  CHECK(t.to_doubles() == std::vector<double>{-100, 7, double(INT32_MAX)});
  CHECK(exec.full({1, 1}, DType::f32, 2.5).item() == 2.5);
  CHECK(exec.full({}, DType::f64, -1).item() == -1);
  CHECK(exec.zeros({3, 0}, DType::f32).to_doubles().empty());
  CHECK(std::string(dtype_name(DType::f32)) == "float32");
  CHECK(std::string(dtype_name(DType::f64)) == "float64");
  CHECK(std::string(dtype_name(DType::i32)) == "int32");
}

TEST_CASE("tensor: what does not fit is refused, by name and shape") {
  Exec exec(cpu_backend());
  Tensor t = counting(exec, {2, 3, 4}), other = exec.zeros({2, 3, 4}, DType::f32);
  auto refuses = [&](const char* name, auto f) {
    CAPTURE(name);
    CHECK_THROWS_WITH_AS(f(), doctest::Contains(name), Error);
  };
  refuses("reshape", [&] { t.reshape({5, 5}); });
  refuses("reshape", [&] { t.permute({1, 0, 2}).reshape({24}); });
  refuses("permute", [&] { t.permute({0, 1}); });
  refuses("permute", [&] { t.permute({0, 1, 1}); });
  refuses("permute", [&] { t.permute({0, 1, 3}); });
  refuses("permute", [&] { t.permute({0, 1, -1}); });
  refuses("narrow", [&] { t.narrow(3, 0, 1); });
  refuses("narrow", [&] { t.narrow(-4, 0, 1); });
  refuses("narrow", [&] { t.narrow(1, 2, 2); });
  refuses("narrow", [&] { t.narrow(1, -1, 2); });
  refuses("narrow", [&] { t.narrow(1, 1, -1); });
  refuses("narrow", [&] { t.select(1, 3); });
  refuses("narrow", [&] { t.select(1, -1); });
  refuses("narrow", [&] { t.select(5, 0); });
  refuses("unsqueeze", [&] { t.unsqueeze(4); });
  refuses("unsqueeze", [&] { t.unsqueeze(-5); });
  refuses("expand", [&] { t.expand({2, 3}); });
  refuses("expand", [&] { t.expand({2, 3, 8}); });
  refuses("flip", [&] { t.flip(3); });
  refuses("item", [&] { t.item(); });
  refuses("[2, 3, 4]", [&] { t.item(); });
  refuses("tensor", [&] { exec.from({2, 2}, std::vector<double>{1, 2, 3}, DType::f64); });
  refuses("tensor", [&] { exec.from({2, 2}, std::vector<int32_t>{1, 2, 3}); });
  refuses("fill", [&] { exec.fill(t.narrow(1, 0, 2), 0); });
  refuses("int32", [&] { exec.fill(exec.from({1}, std::vector<int32_t>{1}), 0); });
  refuses("copy", [&] { exec.copy(t, t.narrow(0, 0, 1)); });
  refuses("copy", [&] { exec.copy(t, other); });
  refuses("shape", [&] { Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}; });
  refuses("shape", [&] { counting(exec, {1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0); });
}
