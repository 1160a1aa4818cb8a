// Every primitive against central differences, in float64.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "autograd/attention.h"
#include "autograd/channel_state.h"
#include "autograd/contraction.h"
#include "autograd/elementwise.h"
#include "autograd/gradient_check.h"
#include "autograd/linear.h"
#include "autograd/matrix_state.h"
#include "autograd/rows.h"
#include "autograd/sequence.h"
#include "autograd/views.h"
#include "core/rng.h"
#include "cpu/cpu.h"

using namespace star;

using namespace star::autograd;

namespace {

using Function = std::function<Var(Tape&, const std::vector<Var>&)>;

struct Case {
  std::vector<Shape> shapes;
  Function f;
  double lo = -2, hi = 2;  // inputs uniform in this range
};

constexpr double kBound = 1e-7;  // central differences of step 1e-5: about 1e-10 off, plus rounding

// Notes in `differentiated` what the tape did go through, whatever the case says of itself.
double error_of(const Case& c, std::bitset<kPrimitives>* differentiated = nullptr) {
  Exec exec(cpu_backend());
  Rng rng(1, "gradients");
  std::vector<Tensor> inputs;
  for (const Shape& shape : c.shapes) {
    std::vector<double> values(size_t(shape.numel()));
    for (double& v : values) v = rng.uniform(c.lo, c.hi);
    inputs.push_back(exec.from(shape, values, DType::f64));
  }
  return gradient_error(exec, c.f, inputs, 1e-5, differentiated);
}

const std::vector<int32_t> kIndex = {2, 0, 3, 2, 2, 1};
const std::vector<int32_t> kTargets = {1, -100, 4, 0, 2, -100};

const std::multimap<Primitive, Case>& cases() {
  using P = Primitive;
  using V = std::vector<Var>;
  static const std::multimap<Primitive, Case> all = {
      {P::leaf, {{{3}}, [](Tape&, const V& x) { return x[0]; }}},
      {P::unary, {{{3, 5}}, [](Tape&, const V& x) { return silu(x[0]); }}},
      {P::gated,
       {{{3, 5}, {3, 5}}, [](Tape&, const V& x) { return gated(Unary::silu, x[0], x[1]); }}},
      {P::gated,
       {{{3, 5}}, [](Tape&, const V& x) { return gated(Unary::sigmoid, x[0], x[0]) * x[0]; }}},
      {P::scale, {{{5, 3}}, [](Tape&, const V& x) { return scale(x[0], -1.5, 2); }}},
      {P::binary, {{{2, 3, 4}, {3, 1}}, [](Tape&, const V& x) { return x[0] + x[1]; }}},
      {P::binary, {{{4}, {2, 3, 4}}, [](Tape&, const V& x) { return x[0] - x[1]; }}},
      {P::binary, {{{2, 1, 4}, {3, 1}}, [](Tape&, const V& x) { return x[0] * x[1]; }}},
      {P::binary, {{{2, 3}}, [](Tape&, const V& x) { return x[0] * x[0] + x[0]; }}},
      {P::binary, {{{2, 3, 4}, {2, 1, 4}}, [](Tape&, const V& x) { return x[0] / x[1]; }, 0.5, 2}},
      {P::reshape,
       {{{2, 6}},
        [](Tape&, const V& x) {
          return square(reshape(x[0], {3, 4}));
        }}},
      {P::permute,
       {{{2, 3, 4}},
        [](Tape&, const V& x) {
          return square(permute(x[0], {2, 0, 1}));
        }}},
      {P::narrow,
       {{{4, 5}}, [](Tape&, const V& x) { return narrow(x[0], 0, 1, 2) * narrow(x[0], 0, 2, 2); }}},
      {P::flip, {{{3, 4}}, [](Tape&, const V& x) { return x[0] * flip(x[0], 1); }}},
      {P::concat,
       {{{2, 3}, {2, 2}}, [](Tape&, const V& x) { return square(concat(x[0], x[1], 1)); }}},
      {P::sum,
       {{{3, 4, 2}},
        [](Tape&, const V& x) {
          return square(sum(x[0], {0, 2}));
        }}},
      {P::sum, {{{3, 4}}, [](Tape&, const V& x) { return square(sum(x[0], {1}, true)) * x[0]; }}},
      {P::contract,
       {{{3, 4}, {4, 5}},
        [](Tape&, const V& x) {
          return Contraction("ab,bc->ac")({x[0], x[1]});
        }}},
      {P::contract,
       {{{2, 3, 2, 4}, {2, 5, 2, 4}, {2, 5, 2, 3}},
        [](Tape&, const V& x) {
          return Contraction("bihn,bjhn,bjhv->bihv")({x[0], x[1], x[2]});
        }}},
      {P::contract,
       {{{3, 2}, {3, 2, 4}},
        [](Tape&, const V& x) {
          return Contraction("ih,ihv->ihv")({x[0], x[1]});
        }}},
      {P::contract,
       {{{2, 3}, {4, 3}},
        [](Tape&, const V& x) {
          return Contraction("ab,cd->a")({x[0], x[1]});
        }}},
      {P::linear,
       {{{2, 3, 4}, {5, 4}}, [](Tape&, const V& x) { return square(linear(x[0], x[1])); }}},
      {P::linear,
       {{{2, 3, 5}, {2, 3, 4}, {5, 4}},
        [](Tape&, const V& x) { return square(linear_onto(x[0], x[1], x[2])) * x[0]; }}},
      {P::linear,
       {{{3, 4}, {4, 4}},
        [](Tape&, const V& x) {
          return linear_onto(linear(x[0], x[1]), linear(linear(x[0], x[1]), x[1]), x[1]);
        }}},
      {P::linear,
       {{{5}, {2, 3, 4}, {5, 4}},
        [](Tape&, const V& x) { return square(linear_onto(x[0], x[1], x[2])); }}},
      {P::rms_norm, {{{3, 7}, {7}}, [](Tape&, const V& x) { return rms_norm(x[0], x[1]); }}},
      {P::softmax, {{{2, 5, 5}}, [](Tape&, const V& x) { return softmax(x[0], {}, 0.7); }}},
      {P::softmax,
       {{{2, 3, 5}},
        [](Tape&, const V& x) {
          return softmax(x[0], {2, 2}, 1.3);
        }}},
      {P::visible,
       {{{2, 5, 5}},
        [](Tape&, const V& x) {
          return visible(x[0], {0, 3});
        }}},
      {P::attention,
       {{{2, 7, 2, 2, 3}, {2, 7, 2, 3}, {2, 7, 2, 4}},
        [](Tape&, const V& x) { return attention(x[0], x[1], x[2], {}, 0.7); }}},
      {P::attention,
       {{{1, 5, 1, 3, 2}, {1, 9, 1, 2}, {1, 9, 1, 2}},
        [](Tape&, const V& x) {
          return attention(x[0], x[1], x[2], {4, 3}, 1.1);
        }}},
      {P::rotary, {{{2, 3, 2, 6}}, [](Tape&, const V& x) { return rotary(x[0], 4); }}},
      {P::conv, {{{2, 5, 3}, {3, 3}}, [](Tape&, const V& x) { return conv(x[0], x[1]); }}},
      {P::conv, {{{2, 11, 3}, {11, 3}}, [](Tape&, const V& x) { return conv(x[0], x[1]); }}},
      {P::conv, {{{1, 4, 2}, {13, 2}}, [](Tape&, const V& x) { return conv(x[0], x[1]); }}},
      {P::conv,
       {{{3, 5, 2}, {5, 2}},
        [](Tape&, const V& x) { return conv(x[0], x[1], ConvMethod::fourier); }}},
      {P::gated_conv,
       {{{2, 7, 3}, {3, 3}, {2, 7, 3}, {2, 7, 3}},
        [](Tape&, const V& x) { return gated_conv(x[0], x[1], x[2], x[3]); }}},
      {P::gated_conv,
       {{{1, 3, 2}, {5, 2}}, [](Tape&, const V& x) { return gated_conv(x[0], x[1], x[0], x[0]); }}},
      {P::decay, {{{2, 5, 3}}, [](Tape&, const V& x) { return decay(x[0]); }}},
      {P::scan, {{{2, 5, 3}}, [](Tape&, const V& x) { return cumulative_product(x[0]); }}},
      {P::scan, {{{2, 5, 3}}, [](Tape&, const V& x) { return remaining_product(x[0]); }}},
      {P::scan, {{{2, 5, 3}, {2, 5, 3}}, [](Tape&, const V& x) { return scan(x[0], x[1]); }}},
      {P::gated_scan, {{{2, 5, 3}, {2, 5, 3}}, [](Tape&, const V& x) { return gated_scan(x[0], x[1]); }}},
      {P::gated_scan,
       {{{1, 4, 2}, {1, 4, 2}},
        [](Tape& tape, const V& x) {
          return gated_scan(x[0], x[1], tape.exec().full({1, 2}, DType::f64, 0.5));
        }}},
      {P::selective_scan,
       {{{2, 19, 3}, {4, 3}, {2, 19, 4}, {2, 19, 4}, {2, 19, 3}},
        [](Tape&, const V& x) {
          return selective_scan(softplus(x[0]), -exp(x[1]), x[2], x[3], x[4]);
        }}},
      {P::matrix_state,
       {{{2, 53, 2, 2, 3}, {2, 53, 2, 3}, {2, 53, 2, 2}},
        [](Tape&, const V& x) {
          return matrix_state({x[0], x[1], x[2]});
        }}},
      {P::matrix_state,
       {{{1, 51, 2, 1, 2}, {1, 51, 2, 2}, {1, 51, 2, 3}, {1, 51, 2}, {1, 51, 2}},
        [](Tape&, const V& x) {
          return matrix_state({x[0], x[1], x[2], sigmoid(scale(x[3], 1, 2)), x[4], 0.7});
        }}},
      {P::delta_error,
       {{{2, 53, 2, 3}, {2, 53, 2, 2}, {2, 53, 2}, {2, 53, 2}},
        [](Tape&, const V& x) {
          return delta_error(scale(x[0], 0.5), x[1], sigmoid(scale(x[2], 1, 2)), sigmoid(x[3]));
        }}},
      {P::channel_state,
       {{{2, 37, 2, 3}, {2, 37, 2, 3}, {2, 37, 2, 2}, {2, 37, 2, 3}},
        [](Tape&, const V& x) {
          return channel_state({x[0], x[1], x[2], -softplus(x[3])});
        }}},
      {P::channel_state,
       {{{1, 35, 2, 2}, {1, 35, 2, 2}, {1, 35, 2, 3}, {1, 35, 2, 2}, {1, 35, 2}},
        [](Tape&, const V& x) {
          return channel_state({x[0], x[1], x[2], -softplus(x[3]), x[4], 0.7});
        }}},
      {P::channel_error,
       {{{2, 37, 2, 3}, {2, 37, 2, 2}, {2, 37, 2, 3}, {2, 37, 2}},
        [](Tape&, const V& x) {
          return channel_error(scale(x[0], 0.5), x[1], -softplus(x[2]), sigmoid(x[3]));
        }}},
      {P::embedding,
       {{{4, 3}},
        [](Tape& tape, const V& x) {
          return square(embedding(x[0], tape.exec().from({2, 3}, kIndex)));
        }}},
      {P::cross_entropy,
       {{{6, 5}},
        [](Tape& tape,
           const V& x) { return scale(cross_entropy(x[0], tape.exec().from({6}, kTargets)), 3); }}},
  };
  return all;
}

}  // namespace

TEST_CASE("every primitive has a gradient case and passes it"){
#define PRIMITIVE(name)                                       \
  {                                                           \
    INFO(#name);                                              \
    CHECK(cases().count(Primitive::name) > 0);                \
    auto [begin, end] = cases().equal_range(Primitive::name); \
    for (auto at = begin; at != end; ++at) {                  \
      std::bitset<kPrimitives> differentiated;                \
      CHECK(error_of(at->second, &differentiated) < kBound);  \
      CHECK(differentiated.test(size_t(Primitive::name)));    \
    }                                                         \
  }
#include "autograd/primitives.def"
#undef PRIMITIVE
}

TEST_CASE("every elementwise function passes the gradient check"){
#define STAR_CASE(name, functor)                                             \
  {                                                                          \
    INFO(#name);                                                             \
    bool positive = Unary::name == Unary::log || Unary::name == Unary::sqrt; \
    Case c{{{37}},                                                           \
           [](Tape&, const std::vector<Var>& x) { return name(x[0]); },      \
           positive ? 0.5 : -4,                                              \
           4};                                                               \
    CHECK(error_of(c) < kBound);                                             \
  }
    STAR_UNARY(STAR_CASE)
#undef STAR_CASE
}

TEST_CASE("the gradient check fails on a wrong gradient") {
  Case wrong{{{4}}, [](Tape& tape, const std::vector<Var>& x) {
               const Var& y = x[0];
               return tape.record(Primitive::unary, square(y).value(), {y},
                                  [y](const Tensor& dy) { y.tape().add(y, dy); });
             }};
  CHECK(error_of(wrong) > 0.1);
}

TEST_CASE("the gradient check fails where there is no number to compare with") {
  for (double where : {0.0, 1.0}) {
    Case undefined{{{4}}, [where](Tape& tape, const std::vector<Var>& x) {
                     // NaN in the value, in the gradient where a tape records.
                     const bool here = tape.recording() == (where == 1);
                     return here ? scale(x[0], NAN) : scale(x[0], 1);
                   }};
    CHECK(error_of(undefined) == INFINITY);
  }
}

TEST_CASE("a tape knows what it differentiated, not what it recorded besides") {
  Exec exec(cpu_backend());
  Tape tape(exec);
  auto only = [](std::initializer_list<Primitive> primitives) {
    std::bitset<kPrimitives> set;
    for (Primitive p : primitives) set.set(size_t(p));
    return set;
  };
  Var x = tape.leaf(exec.full({2, 3}, DType::f64, 1));
  Var aside = softmax(x, {0, 0}, 1);
  Var y = sum(silu(x));
  CHECK(tape.differentiated().none());
  tape.backward(y);
  CHECK(tape.differentiated() == only({Primitive::leaf, Primitive::unary, Primitive::sum}));
  tape.clear();
  CHECK(tape.differentiated().none());
}

TEST_CASE("a scan's gradient sees the state before the first token") {
  Exec exec(cpu_backend());
  Tensor h0 = exec.from({1, 2}, std::vector<double>{0.5, -1.0}, DType::f64);
  Case c{{{1, 4, 2}, {1, 4, 2}},
         [&](Tape&, const std::vector<Var>& x) { return scan(x[0], x[1], h0); }};
  CHECK(error_of(c) < kBound);
}

TEST_CASE("a parameter's gradient is added in place, whoever produces it") {
  Exec exec(cpu_backend());
  Tensor w = exec.from({2, 2}, std::vector<double>{1, 2, 3, 4}, DType::f64);
  Tensor grad = exec.full({2, 2}, DType::f64, 10);
  Tape tape(exec);
  Var p = tape.parameter(w, grad), x = tape.constant(exec.full({1, 2}, DType::f64, 1));
  tape.backward(sum(linear(x, p) + linear(linear(x, p), p)));
  // d/dp of Σ(pX) + Σ(ppX): 1·xᵀ + 1·(px)ᵀ + pᵀ1·xᵀ
  CHECK(grad.to_doubles() ==
        std::vector<double>{10 + 1 + 3 + 4, 10 + 1 + 7 + 4, 10 + 1 + 3 + 6, 10 + 1 + 7 + 6});
}

TEST_CASE("backward releases the activations it has passed") {
  Exec exec(cpu_backend());
  Tensor start = exec.full({64, 64}, DType::f64, 0.1);
  size_t before = exec.arena().live_bytes();
  int64_t allocations = 0;
  for (int step = 0; step < 3; ++step) {
    Tape tape(exec);
    Var x = tape.leaf(start), y = x;
    for (int i = 0; i < 4; ++i) y = Contraction("ab,bc->ac")({silu(y), x});
    tape.backward(sum(y));
    if (step == 1) allocations = exec.arena().system_allocations();
  }
  CHECK(exec.arena().live_bytes() == before);
  CHECK(exec.arena().system_allocations() == allocations);
}
