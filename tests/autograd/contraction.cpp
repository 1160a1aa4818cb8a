#include "autograd/contraction.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <set>

#include "autograd/gradient_check.h"
#include "autograd/linear.h"
#include "autograd/network.h"
#include "autograd/pair_order.h"
#include "core/rng.h"
#include "cpu/cpu.h"
#include "tests/difference.h"

namespace star {
namespace {

struct Problem {
  struct {
    std::vector<std::string> factors;
    std::string result;
  } network;
  std::map<char, int64_t> sizes;
  std::string text() const {
    return fmt::format("{}->{}", fmt::join(network.factors, ","), network.result);
  }
};

// Random factors over at most `letters` letters; sizes from 1.
Problem random_problem(Rng& rng, int factors, int letters, int64_t largest) {
  Problem p;
  std::string alphabet = std::string("abxYZqr").substr(0, size_t(letters)), seen;
  for (char c : alphabet) p.sizes[c] = 1 + rng.below(uint32_t(largest));
  for (int f = 0; f < factors; ++f) {
    std::string all = alphabet;
    rng.shuffle(all);
    p.network.factors.push_back(all.substr(0, rng.below(uint32_t(std::min(letters, 5) + 1))));
    for (char c : p.network.factors.back())
      if (seen.find(c) == seen.npos) seen += c;
  }
  rng.shuffle(seen);
  p.network.result = seen.substr(0, rng.below(uint32_t(seen.size()) + 1));
  return p;
}

// A tensor of this shape with odd strides: permuted, flipped, cut out or broadcast.
Tensor strided(Exec& exec, Rng& rng, const Shape& shape, DType dtype) {
  std::vector<int> order(size_t(shape.rank())), back(order.size());
  for (int i = 0; i < shape.rank(); ++i) order[size_t(i)] = i;
  rng.shuffle(order);
  Shape inner;
  for (int i = 0; i < shape.rank(); ++i) {
    back[size_t(order[size_t(i)])] = i;
    inner.push_back(shape[order[size_t(i)]]);
  }
  Shape base = inner;
  for (int i = 0; i < base.rank(); ++i) {
    if (rng.chance(0.2))
      base[i] = 1;  // to be stretched
    else if (rng.chance(0.2))
      base[i] = base[i] + 2;  // to be cut
  }
  std::vector<double> values(size_t(base.numel()));
  for (double& v : values) v = rng.normal();
  Tensor t = exec.from(base, values, dtype);
  for (int i = 0; i < base.rank(); ++i) {
    if (base[i] > inner[i]) t = t.narrow(i, 1, inner[i]);
    if (rng.chance(0.2)) t = t.flip(i);
  }
  return t.expand(inner).permute(back);
}

struct Naive {
  std::vector<double> values;
  double scale = 0;  // the largest sum of |products|
};

// One loop over all letters.
Naive naive(const Problem& p, const std::vector<Tensor>& inputs) {
  std::vector<std::vector<double>> data;
  for (auto& t : inputs) data.push_back(t.to_doubles());
  std::map<char, int64_t> at;
  auto offset = [&](const std::string& letters) {
    int64_t o = 0;
    for (char c : letters) o = o * p.sizes.at(c) + at[c];
    return size_t(o);
  };
  std::string letters = p.network.result;
  for (auto& f : p.network.factors)
    for (char c : f)
      if (letters.find(c) == letters.npos) letters += c;
  int64_t total = 1, results = 1;
  for (char c : letters) total *= p.sizes.at(c);
  for (char c : p.network.result) results *= p.sizes.at(c);
  Naive out{std::vector<double>(size_t(results), 0.0)};
  std::vector<double> absolute(size_t(results), 0.0);
  for (int64_t n = 0; n < total; ++n) {
    int64_t rest = n;
    for (char c : letters) {
      at[c] = rest % p.sizes.at(c);
      rest /= p.sizes.at(c);
    }
    double product = 1;
    for (size_t f = 0; f < data.size(); ++f) product *= data[f][offset(p.network.factors[f])];
    out.values[offset(p.network.result)] += product;
    absolute[offset(p.network.result)] += std::abs(product);
  }
  for (double a : absolute) out.scale = std::max(out.scale, a);
  return out;
}

std::vector<Tensor> random_inputs(Exec& exec, Rng& rng, const Problem& p, DType dtype) {
  std::vector<Tensor> inputs;
  for (auto& letters : p.network.factors) {
    Shape shape;
    for (char c : letters) shape.push_back(p.sizes.at(c));
    inputs.push_back(strided(exec, rng, shape, dtype));
  }
  return inputs;
}

// The cheapest of all orders, every pair tried at every step: letters that nothing else needs are
// summed as soon as they can be.
double cheapest(const Problem& p, const std::vector<std::string>& operands) {
  if (operands.size() == 1) return 0;
  double best = INFINITY;
  for (size_t a = 0; a < operands.size(); ++a)
    for (size_t b = a + 1; b < operands.size(); ++b) {
      std::string others = p.network.result, merged;
      std::vector<std::string> rest;
      for (size_t o = 0; o < operands.size(); ++o) {
        if (o == a || o == b) continue;
        rest.push_back(operands[o]);
        others += operands[o];
      }
      for (char c : operands[a] + operands[b])
        if (others.find(c) != std::string::npos && merged.find(c) == std::string::npos) merged += c;
      rest.push_back(merged);
      double cost = pair_cost(operands[a], operands[b], merged, p.sizes).time(cpu_rates());
      best = std::min(best, cost + cheapest(p, rest));
    }
  return best;
}

// The factors without letters that stand in one of them only.
std::vector<std::string> open_factors(const Problem& p) {
  std::vector<std::string> open;
  for (size_t f = 0; f < p.network.factors.size(); ++f) {
    open.emplace_back();
    for (char c : p.network.factors[f]) {
      bool needed = p.network.result.find(c) != std::string::npos;
      for (size_t g = 0; g < p.network.factors.size(); ++g)
        needed |= g != f && p.network.factors[g].find(c) != std::string::npos;
      if (needed) open.back() += c;
    }
  }
  return open;
}

}  // namespace

TEST_CASE("contraction: random networks against one loop over all letters") {
  Rng rng(1, "test.contraction");
  for (int round = 0; round < 600; ++round) {
    Problem p = random_problem(rng, 1 + int(rng.below(4)), 5, round % 3 ? 4 : 7);
    DType dtype = rng.chance(0.5) ? DType::f64 : DType::f32;
    INFO(p.text());
    Exec exec(cpu_backend());
    Tape tape(exec, false);
    std::vector<Tensor> inputs = random_inputs(exec, rng, p, dtype);
    std::vector<Var> vars;
    for (auto& t : inputs) vars.push_back(tape.constant(t));
    Naive expected = naive(p, inputs);
    Tensor y = Contraction(p.text())(vars).value();
    REQUIRE(y.rank() == int(p.network.result.size()));
    for (int i = 0; i < y.rank(); ++i) CHECK(y.size(i) == p.sizes[p.network.result[size_t(i)]]);
    CHECK(largest_difference(y.to_doubles(), expected.values) <=
          (dtype == DType::f64 ? 1e-13 : 1e-5) * expected.scale);
  }
}

TEST_CASE("contraction: gradients of random networks") {
  Rng rng(2, "test.contraction.gradient");
  for (int round = 0; round < 60; ++round) {
    Problem p = random_problem(rng, 1 + int(rng.below(4)), 4, 3);
    INFO(p.text());
    Exec exec(cpu_backend());
    std::vector<Tensor> inputs;
    for (auto& t : random_inputs(exec, rng, p, DType::f64))
      inputs.push_back(exec.from(t.shape(), t.to_doubles(), DType::f64));
    auto f = [&](Tape&, const std::vector<Var>& x) { return Contraction(p.text())(x); };
    CHECK(gradient_error(exec, f, inputs) < 1e-7);
  }
}

TEST_CASE("contraction: the gradient of a broadcast or flipped input has the input's shape") {
  Exec exec(cpu_backend());
  Tape tape(exec);
  Tensor base = exec.from({1, 3}, std::vector<double>{1, 2, 3}, DType::f64);
  Var x = tape.leaf(base.expand({2, 3}).flip(1));
  Var w = tape.leaf(exec.from({3, 1}, std::vector<double>{1, 10, 100}, DType::f64));
  Var y = Contraction("ab,bc->")({x, w});
  CHECK(y.value().item() == 2 * (3 + 20 + 100));
  tape.backward(y);
  CHECK(tape.grad(x).to_doubles() == std::vector<double>{1, 10, 100, 1, 10, 100});
  CHECK(tape.grad(w).to_doubles() == std::vector<double>{6, 4, 2});
}

TEST_CASE("contraction: the planner finds the cheapest of all orders") {
  Rng rng(3, "test.contraction.plan");
  for (int round = 0; round < 400; ++round) {
    Problem p = random_problem(rng, 2 + int(rng.below(4)), 3 + int(rng.below(4)), 20);
    INFO(p.text());
    std::vector<std::string> operands = open_factors(p);
    PairOrder order = cheapest_pairs(operands, p.network.result, p.sizes, cpu_rates());
    CHECK(order.cost.time(cpu_rates()) == doctest::Approx(cheapest(p, operands)).epsilon(1e-12));
    REQUIRE(order.steps.size() == operands.size() - 1);
    // Every operand is used once, and each step costs what it says.
    Cost total;
    std::set<int> used;
    for (auto& step : order.steps) {
      REQUIRE(std::max(step.first, step.second) < int(operands.size()));
      CHECK(used.insert(step.first).second);
      CHECK(used.insert(step.second).second);
      Cost cost = pair_cost(operands[size_t(step.first)], operands[size_t(step.second)],
                            step.letters, p.sizes);
      CHECK(step.cost.time(cpu_rates()) == cost.time(cpu_rates()));
      total += cost;
      operands.push_back(step.letters);
    }
    CHECK(total.time(cpu_rates()) == doctest::Approx(order.cost.time(cpu_rates())).epsilon(1e-12));
    CHECK(order.steps.back().letters == p.network.result);
  }
}

TEST_CASE("contraction: a product costs its walk over all letters, and its three tensors") {
  Cost cost = pair_cost("bij", "bjv", "biv", {{'b', 2}, {'i', 3}, {'j', 5}, {'v', 7}});
  CHECK(cost.flops == 2 * 2 * 3 * 5 * 7);
  CHECK(cost.memory == 4 * (2 * 3 * 7));
  CHECK(cost.bytes == 4 * (2 * 3 * 5 + 2 * 5 * 7 + 2 * 3 * 7));
  CHECK(pair_cost("ij", "j", "ij", {{'i', 3}, {'j', 5}}).flops == 3 * 5);  // nothing is summed
}

TEST_CASE("contraction: the order of a product of three follows the length") {
  // (q kᵀ) v against q (kᵀ v): quadratic in a short sequence, linear in a long one.
  auto first_step = [&](int64_t length) {
    return cheapest_pairs({"in", "jn", "jv"}, "iv",
                          {{'i', length}, {'j', length}, {'n', 16}, {'v', 16}}, cpu_rates())
        .steps[0];
  };
  CHECK((first_step(4).first == 0 && first_step(4).second == 1));
  CHECK((first_step(1000).first == 1 && first_step(1000).second == 2));
}

TEST_CASE("contraction: what is read, and errors that name the place") {
  Network network = parse_network("ab,bC,->Ca");
  REQUIRE(network.nodes.size() == 3);
  CHECK(network.nodes[1].axes == "bC");
  CHECK(network.nodes[2].axes == "");
  CHECK(network.result == "Ca");
  network = parse_network("softmax(-0.5e-1,in,jn,[i>=j>i-12]),b[i..j]h,[i-j],jv->biv");
  REQUIRE(network.nodes.size() == 4);
  CHECK((network.read == 'i' && network.write == 'j'));
  CHECK(network.nodes[0].is_softmax());
  REQUIRE(network.nodes[0].inside.size() == 4);
  CHECK(network.nodes[0].inside[0].number == -0.05);
  CHECK(network.nodes[0].inside[3].window == 12);
  CHECK(network.nodes[1].kind == Node::Kind::decay);
  CHECK(network.nodes[1].axes == "b.h");
  CHECK(network.nodes[2].kind == Node::Kind::toeplitz);
  CHECK(parse_network("ij,[i=j]->i").nodes[1].window == 1);
  network = parse_network("[i..t..j]exp(dt:btc,nc),dt:bjc,[i-j<5]c,bjn->bic");
  CHECK(network.tensors == 4);
  CHECK((network.nodes[0].kind == Node::Kind::decay && network.nodes[0].along == 't'));
  CHECK(network.nodes[0].inside[0].inside[0].tensor == 0);
  CHECK((network.nodes[1].tensor == 0 && network.nodes[3].tensor == 3));
  CHECK(network.nodes[2].window == 5);
  network = parse_network("in,[i..t..j]delta(k:tn,w:t,t)m,k:jm,jv->iv");
  CHECK((network.nodes[1].kind == Node::Kind::delta && network.nodes[1].axes == "nm"));
  CHECK((network.nodes[2].tensor == 1 && network.nodes[3].tensor == 4));
  auto message = [](const std::string& text) -> std::string {
    try {
      parse_network(text);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const std::pair<const char*, const char*> faults[] = {
      {"ab,bc", "->"},
      {"a1,bc->ac", "->"},
      {"a b->a", "->"},
      {"aa->a", "'a'"},
      {"ab->aa", "'a'"},
      {"ab->ac", "'c'"},
      {"ab->a,b", "letter"},
      {"", "->"},
      {"->a", "'a'"},
      {"ab->a->b", "letter"},
      {"\xC3\xA4->a", "->"},
      {"i,j,[i>=j->i", "place 10"},
      {"i,j,[i>j]->i", ">="},
      {"i,j,[i>=i]->i", "different"},
      {"i,j,[i>=j>i-0]->i", "window"},
      {"i,j,[i>=j>j-4]->i", "window"},
      {"i,jk,[i>=j],[i..k]->i", "pair"},
      {"i,j,[i..j][i-j]->i", "second"},
      {"i,j,[i>=j]b->i", "band"},
      {"softmax(in,jn->ij", ")"},
      {"softmax(in,jn)->ij", "structure"},
      {"i,j,[i>=j],-x->i", "number"},
      {"a:ij,[i-j<0],b:jv->iv", "lags"},
      {"i,j,[i..t..j]->i", "delta expected"},
      {"i,j,[i..i..j]exp(t)->i", "different"},
      {"i,j,[i..t..j]softmax(t)->i", "delta"},
      {"i,j,b[i..t..j]exp(t)->i", "of its own"},
      {"it,j,[i..t..j]exp(t)->i", "outside"},
      {"i,j,[i..t..j]exp(t)->it", "'t'"},
      {"in,[i..t..j]delta(tn,t)m,jm->i", "takes"},
      {"in,[i..t..j]delta(tn,tn,t)m,jm->i", "one letter"},
      {"in,[i..t..j]delta(tn,t,t)n,jn->i", "twice"},
      {"2->", "tensor"}};
  for (auto [text, words] : faults) {
    INFO(std::string(text));
    CHECK(message(text).find(words) != std::string::npos);
  }
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  Var x = tape.constant(exec.zeros({2, 3}, DType::f64)),
      y = tape.constant(exec.zeros({4, 2}, DType::f64));
  CHECK_THROWS_WITH_AS(Contraction("ab,bc->ac")({x, y}), doctest::Contains("'b' is 3 and 4"),
                       Error);  // b is 3 and 4
  CHECK_THROWS_WITH_AS(Contraction("ab,bc->ac")({x}),
                       doctest::Contains("1 tensors given, more expected"), Error);  // one factor
  CHECK_THROWS_WITH_AS(Contraction("abc->a")({x}), doctest::Contains("tensor 1 has shape [2, 3]"),
                       Error);  // rank
  CHECK_THROWS_WITH_AS(linear(x, y), doctest::Contains("linear: input [2, 3] and weight [4, 2]"),
                       Error);
  CHECK_THROWS_WITH_AS(
      cheapest_pairs(std::vector<std::string>(13, "a"), "a", {{'a', 2}}, cpu_rates()),
      doctest::Contains("13 factors"), Error);
  CHECK_THROWS_WITH_AS(Contraction("ab->a")({}), doctest::Contains("no tensor given"), Error);
}

TEST_CASE("contraction: linear maps over any leading axes") {
  Rng rng(4, "test.contraction.linear");
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  for (Shape shape : {Shape{3}, {1, 3}, {2, 5, 3}, {2, 1, 4, 3}}) {
    Tensor x = strided(exec, rng, shape, DType::f64), w = strided(exec, rng, {4, 3}, DType::f64);
    Tensor y = linear(tape.constant(x), tape.constant(w)).value();
    CHECK(y.shape() == shape.with(shape.rank() - 1, 4));
    std::vector<double> a = x.to_doubles(), b = w.to_doubles(), c = y.to_doubles();
    for (size_t i = 0; i < c.size(); ++i) {
      double sum = 0;
      for (size_t n = 0; n < 3; ++n) sum += a[i / 4 * 3 + n] * b[i % 4 * 3 + n];
      CHECK(c[i] == doctest::Approx(sum).epsilon(1e-12));
    }
  }
}

}  // namespace star
