// The network that an operator states is what it computes: its definition, evaluated entry by
// entry, against every way in which T(x) v is made.
#include <doctest/doctest.h>

#include "autograd/plan.h"
#include "cpu/cpu.h"
#include "tests/autograd/definition.h"
#include "tests/liv/cases.h"

namespace star {
namespace {

constexpr int64_t kLength = 7;
constexpr Sizes kSizes{8, 4, 11, 16, 3};

// One part of a random operator on a random sequence.
struct Part {
  const Operator& op;
  Features features;
  Weights weights;

  const TokenMixing& mixing() const { return op.mixing(); }
  std::vector<Var> operands() const { return mixing().operands(features, weights, nullptr); }
  std::vector<double> parallel() const {
    return mixing().apply(features, weights, nullptr).value().to_doubles();
  }
};

// Calls f(part, tape) for each part of each case.
template <class F>
void for_each_part(const char* purpose, const F& f) {
  Rng rng(5, purpose);
  for (const std::string& text : all_cases()) {
    INFO(text);
    Exec exec(cpu_backend());
    Tape tape(exec, false);
    RandomOperator random(exec, first_class(text), kSizes, DType::f64, rng.bits());
    const std::vector<Var> values = random.on(tape);
    Var x = tape.constant(random_tensor(exec, rng, {1, kLength, kSizes.width}, DType::f64));
    const Weights weights = random.weights(values);
    FeatureSet features;
    random.op.apply(weights, x, features, nullptr);
    for (int part = 0; part < random.op.layout().parts(); ++part)
      f(Part{random.op, features.part(part), weights.part(part)}, tape);
  }
}

// T(x) v from a dense T, [L][inner].
std::vector<double> dense_product(const Part& part) {
  const Layout& layout = part.op.layout();
  DenseCore core = part.mixing().materialize(part.features, part.weights);
  FeatureRows v(part.features[Role::value]);
  int64_t inner = layout.inner(), e = layout.head_width(), kv = layout.kv_heads();
  bool repeated = layout.width_of(*layout.group(Role::value)) != inner;
  std::vector<double> y;
  for (int64_t i = 0; i < core.length; ++i)
    for (int64_t c = 0; c < inner; ++c) {
      int64_t from = repeated ? c / e * kv / layout.sizes.heads * e + c % e : c;
      double sum = 0;
      for (int64_t j = 0; j < core.length; ++j)
        sum += core.at(c / (inner / core.rows), i, j) * v.at(j, from);
      y.push_back(sum);
    }
  return y;
}

// What is given of a feature at token t: keys and values that are compared with are all those so
// far.
FeatureSet features_at(const Part& part, int64_t t) {
  const OperatorGenome& op = part.op.liv().op;
  FeatureSet now;
  for (const FeatureGroup& g : part.op.liv().groups) {
    if (is_kernel(g.role)) continue;
    const Var& f = part.features[g.role];
    bool all = op.mixing() == Mixing::low_rank && !kernel_normalised(op.entries()) &&
               (writes(g.role) || g.role == Role::value);
    now.at(g.role) = all ? narrow(f, 1, 0, t + 1) : narrow(f, 1, t, 1);
  }
  return now;
}

}  // namespace

TEST_CASE("network: its definition is the parallel form, the dense T and the decoding") {
  for_each_part("test.network.definition", [](const Part& part, Tape& tape) {
    const Contraction& network = part.mixing().network();
    std::vector<Tensor> tensors;
    std::vector<Var> operands = part.operands();
    for (const Var& x : operands) tensors.push_back(x.value());
    INFO(network.text());
    Tensor scores = network.by("scores", operands).value();
    std::vector<double> defined = Definition(network.text(), tensors).result();
    CHECK(relative_error(scores.to_doubles(), defined) < 1e-12);
    Var y =
        part.mixing().result(tape.constant(tape.exec().from(scores.shape(), defined, DType::f64)));
    std::vector<double> expected = y.value().to_doubles();
    CHECK(relative_error(part.parallel(), expected) < 1e-10);
    CHECK(relative_error(dense_product(part), expected) < 1e-10);
    State state;
    std::vector<double> decoded;
    for (; state.position < kLength; ++state.position) {
      FeatureSet now = features_at(part, state.position);
      std::vector<double> row = part.mixing().apply(now, part.weights, &state).value().to_doubles();
      decoded.insert(decoded.end(), row.begin(), row.end());
    }
    // A band of windows keeps what it sees in its features, which are all given here.
    CHECK(relative_error(decoded, expected) < 1e-10);
  });
}

TEST_CASE("network: the order that is told is the order that runs, on the shapes that are stated") {
  for_each_part("test.network.order", [](const Part& part, Tape&) {
    const Contraction& network = part.mixing().network();
    std::vector<Var> operands = part.operands();
    std::vector<Shape> shapes = part.mixing().shapes(1, kLength);
    INFO(network.text());
    REQUIRE(shapes.size() == operands.size());
    for (size_t n = 0; n < shapes.size(); ++n) CHECK(shapes[n] == operands[n].shape());
    ContractionPlan plan = part.op.plan(1, kLength, cpu_rates());
    Tensor told = network.by(plan.orders[plan.chosen].name, operands).value();
    CHECK(network(operands).value().to_doubles() == told.to_doubles());
  });
}

TEST_CASE("network: an operator is planned once for its shapes, and not while it decodes") {
  for_each_part("test.network.plans", [](const Part& part, Tape&) {
    const Contraction& network = part.mixing().network();
    const int64_t before = network.plans();
    CHECK(before == 1);
    for (int again = 0; again < 3; ++again) part.parallel();
    CHECK(network.plans() == before);
    const OperatorGenome& op = part.op.liv().op;
    // Entries of all keys so far are made anew, in scores that grow with them.
    bool grows = op.mixing() == Mixing::low_rank && !row_of(op.entries()).normalises;
    if (grows) return;
    State state;
    for (; state.position < kLength; ++state.position)
      part.mixing().apply(features_at(part, state.position), part.weights, &state);
    CHECK(network.plans() <= before + (op.mixing() == Mixing::diagonal));
  });
}

}  // namespace star
