// Which orders are planned, when, and how a contraction goes on token by token.
#include <doctest/doctest.h>

#include "autograd/state.h"
#include "autograd/views.h"
#include "core/rng.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "tests/autograd/plans.h"
#include "tests/difference.h"

namespace star {
namespace {

using Shapes = std::vector<Shape>;

std::string chosen(const std::string& network, const std::vector<Shape>& shapes) {
  ContractionPlan plan = plan_of(network, shapes);
  return plan.orders[plan.chosen].name;
}

}  // namespace

TEST_CASE("planning: the orders that fit, and only those") {
  auto orders = [](const std::string& network, const std::vector<Shape>& shapes) {
    return names_of(plan_of(network, shapes));
  };
  Shape x{1, 40, 2, 4};
  using Names = std::set<std::string>;
  CHECK(orders("bihn,bjhn,[i>=j],bjhv->bihv", {x, x, x}) ==
        Names{"scores", "state", "chunks of 16", "chunks of 32"});
  CHECK(orders("softmax(bihn,bjhn,[i>=j]),bjhv->bihv", {x, x, x}) == Names{"scores", "tiles"});
  CHECK(orders("softmax(bihn,bjhn,[i>=j>i-7]),bjhv->bihv", {x, x, x}) ==
        Names{"scores", "blocks of 16", "tiles"});
  CHECK(orders("softmax(bihn,bjhn),[i>=j],bjhv->bihv", {x, x, x}) == Names{"scores"});
  CHECK(orders("softmax(bihn,bjhn,[i>=j]),bhjv->bihv", {x, x, {1, 2, 40, 4}}) == Names{"scores"});
  CHECK(orders("bihn,bjhn,[i>=j>i-7],bjhv->bihv", {x, x, x}) == Names{"scores", "blocks of 16"});
  CHECK(orders("bihn,bjhn,[i>=j],bihv->bjhv", {x, x, x}) == Names{"scores"});
  CHECK(orders("bic,[i-j]c,bjc->bic", {{1, 40, 2}, {3, 2}, {1, 40, 2}}) ==
        Names{"scores", "convolution", "transform"});
  CHECK(orders("bic,[i-j]c,b[i..j]c,bjc->bic", {{1, 40, 2}, {3, 2}, {1, 40, 2}, {1, 40, 2}}) ==
        Names{"scores"});
}

TEST_CASE("planning: the order follows the sizes") {
  // Linear attention: scores while they are few, a state as the tokens grow.
  auto attention = [](int64_t L) {
    Shape x{8, L, 4, 16};
    return chosen("bihn,bjhn,[i>=j],bjhv->bihv", {x, x, x});
  };
  CHECK(attention(16) == "scores");
  CHECK(attention(2048) == "state in chunks of 48");
  // A recurrence without an inner product is a scan at any length.
  for (int64_t L : {64, 2048}) {
    Shape x{8, L, 64};
    CHECK(chosen("b[i..j]c,bjc,bjc->bic", {x, x, x}) == "state");
  }
  // A kernel of a few taps is summed between its gates, one as long as a long sequence is
  // transformed.
  auto convolution = [](int64_t L, int64_t taps) {
    Shape x{8, L, 64};
    return chosen("bic,[i-j]c,bjc,bjc->bic", {x, {taps, 64}, x, x});
  };
  CHECK(convolution(4096, 3) == "gated convolution");
  CHECK(convolution(64, 64) == "convolution");
  CHECK(convolution(4096, 4096) == "transform");
  // A softmax is taken by tiles, which are cheap for a band too; other functions of the entries in
  // a band by blocks when it is narrow for the sequence.
  auto band = [](int64_t L, const std::string& function) {
    Shape x{8, L, 4, 16};
    return chosen(function + "(bihn,bjhn,[i>=j>i-64]),bjhv->bihv", {x, x, x});
  };
  CHECK(band(64, "softmax") == "tiles");
  CHECK(band(2048, "softmax") == "tiles");
  CHECK(band(64, "relu") == "scores");
  CHECK(band(2048, "relu") == "blocks of 64");
  // The cost of a state grows with the tokens, that of scores with their square.
  auto cost = [](int64_t L, const std::string& name) {
    Shape x{1, L, 4, 16};
    for (auto& order : plan_of("bihn,bjhn,[i>=j],bjhv->bihv", {x, x, x}).orders)
      if (order.name == name) return order.cost.flops;
    return 0.0;
  };
  CHECK(cost(8192, "chunks of 64") / cost(4096, "chunks of 64") ==
        doctest::Approx(2).epsilon(0.01));
  CHECK(cost(8192, "scores") / cost(4096, "scores") == doctest::Approx(4).epsilon(0.01));
  // Two a multiply-add: a token of each head meets its chunk twice, and the state as it reads and
  // as it writes.
  CHECK(cost(4096, "state in chunks of 48") == 2 * 4096.0 * 4 * (2 * 48 * 16 + 2 * 16 * 16));
}

TEST_CASE("planning: the order follows the backend") {
  Shape x{8, 2048, 4, 16}, wide{8, 4096, 64};
  auto orders = [](const std::string& network, const std::vector<Shape>& shapes, const Rates& r) {
    return names_of(plan_of(network, shapes, r));
  };
  const char* attention = "bihn,bjhn,[i>=j],bjhv->bihv";
  CHECK(orders(attention, {x, x, x}, cpu_rates()).count("state in chunks of 48"));
  CHECK(orders(attention, {x, x, x}, cuda_rates()).count("state in chunks of 32"));
  const char* convolution = "bic,[i-j]c,bjc,bjc->bic";
  CHECK(orders(convolution, {wide, {4096, 64}, wide, wide}, cpu_rates()).count("transform"));
  CHECK_FALSE(orders(convolution, {wide, {4096, 64}, wide, wide}, cuda_rates()).count("transform"));
  // Where nothing but multiplications costs, the sums decide; where operations do, their number.
  Rates rates = cpu_rates();
  rates.byte = rates.operation = 0;
  auto chosen_by = [&] {
    ContractionPlan plan = plan_of("b[i..j]c,bjc,bjc->bic", Shapes(3, Shape{8, 64, 8}), rates);
    return plan.orders[plan.chosen];
  };
  CHECK(chosen_by().name == "state");
  rates.operation = 1e12;
  ContractionPlan plan = plan_of(attention, {x, x, x}, rates);
  CHECK(plan.orders[plan.chosen].steps.size() == 1);
}

TEST_CASE("planning: a plan is made once for some shapes, and the last few are kept") {
  Exec exec(cpu_backend());
  const Contraction c("bihn,bjhn,[i>=j],bjhv->bihv");
  auto call = [&](int64_t L, DType dtype) {
    Tape tape(exec, false);
    Var x = tape.constant(exec.full({1, L, 2, 3}, dtype, 0.5));
    CHECK(c({x, x, x}).shape() == x.shape());
  };
  CHECK(c.plans() == 0);
  for (int again = 0; again < 3; ++again) call(5, DType::f64);
  call(5, DType::f32);
  CHECK(c.plans() == 1);
  call(6, DType::f64);
  call(5, DType::f64);
  CHECK(c.plans() == 2);
  for (int64_t L = 10; L < 30; ++L) call(L, DType::f64);
  CHECK(c.plans() == 22);
  call(29, DType::f64);
  CHECK(c.plans() == 22);
  call(5, DType::f64);  // is forgotten by now
  CHECK(c.plans() == 23);
}

TEST_CASE("planning: a step goes on from the state, or is refused") {
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  auto random = [&, rng = Rng(6, "test.contraction.step")](const Shape& shape) mutable {
    std::vector<double> values(size_t(shape.numel()));
    for (double& v : values) v = rng.uniform(-1, 1);
    return tape.constant(exec.from(shape, values, DType::f64));
  };
  const Contraction short_kernel("bic,[i-j<3]c,bjc,bjc->bic");
  Var x = random({1, 9, 2}), k = random({3, 2});
  State state;
  std::vector<double> whole = short_kernel({x, k, x, x}).value().to_doubles(), pieces;
  for (auto [from, to] : {std::pair<int64_t, int64_t>{0, 1}, {1, 2}, {2, 7}, {7, 9}}) {
    Var piece = narrow(x, 1, from, to - from);
    auto y = short_kernel.step(std::vector{piece, k, piece, piece}, state).value().to_doubles();
    pieces.insert(pieces.end(), y.begin(), y.end());
    CHECK(state.floats() == 2 * 2);
  }
  CHECK(largest_difference(pieces, whole) < 1e-14);
  CHECK_THROWS_WITH_AS(short_kernel.step(std::vector{x, k, x}, state),
                       doctest::Contains("3 tensors given, 4 expected"), Error);
  CHECK_THROWS_WITH_AS(Contraction("bic,b[i..j]c,bjc->bic").step(std::vector{x, x, x}, state),
                       doctest::Contains("no order goes on token by token"), Error);
  CHECK_THROWS_WITH_AS(short_kernel({x, random({4, 2}), x, x}),
                       doctest::Contains("a kernel of 4 lags"), Error);
}

}  // namespace star
