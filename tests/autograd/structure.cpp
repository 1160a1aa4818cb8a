// Networks with structure: every order against a sum over all letters, and gradients.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "autograd/contraction.h"
#include "autograd/gradient_check.h"
#include "autograd/orders.h"
#include "core/rng.h"
#include "cpu/cpu.h"
#include "tests/autograd/definition.h"
#include "tests/autograd/plans.h"
#include "tests/difference.h"

namespace star::autograd {
namespace {

constexpr int64_t kThreeChunks = 35;  // of 16 tokens, the last not whole
// Tokens enough for every order: more than the largest block of the state in chunks, and no
// multiple of any.
constexpr int64_t kBeyondChunks = kStateChunk + 5, kManyChunks = 6 * kStateChunk + 7;

// A network and the shapes of its tensors at L tokens.
struct Example {
  const char* text;
  std::vector<Shape> (*shapes)(int64_t L);
};
using Shapes = std::vector<Shape>;
const Example kExamples[] = {
    {"ab,ibc,cd,ai->di",  // no structure
     [](int64_t L) {
       return Shapes{{2, 3}, {L, 3, 2}, {2, 3}, {2, L}};
     }},
    {"bihgn,bjhn,[i>=j],bjhv->bihgv",
     [](int64_t L) {
       return Shapes{{2, L, 2, 2, 3}, {2, L, 2, 3}, {2, L, 2, 2}};
     }},
    {"softmax(0.7,bihn,bjhn,[i>=j]),bjhv->bihv",
     [](int64_t L) {
       return Shapes{{1, L, 2, 3}, {1, L, 2, 3}, {1, L, 2, 2}};
     }},
    {"softmax(0.7,bihgn,bjhn,[i>=j>i-5]),bjhv->bihgv",
     [](int64_t L) {
       return Shapes{{2, L, 1, 2, 3}, {2, L, 1, 3}, {2, L, 1, 2}};
     }},
    {"softmax(in,jn,[i>=j>i-20]),jv->iv",
     [](int64_t L) {
       return Shapes{{L, 3}, {L, 3}, {L, 2}};
     }},
    {"softmax(in,jn),[i>=j],jv->iv",
     [](int64_t L) {
       return Shapes{{L, 3}, {L, 3}, {L, 2}};
     }},
    {"relu(0.3,bihn,bjhn),[i>=j],i,bjhv->bihv",
     [](int64_t L) {
       return Shapes{{2, L, 2, 3}, {2, L, 2, 3}, {L}, {2, L, 2, 2}};
     }},
    {"silu(in,jn,[i>=j>i-4]),i,jv->iv",
     [](int64_t L) {
       return Shapes{{L, 3}, {L, 3}, {L}, {L, 2}};
     }},
    {"0.5,bihn,b[i..j]h,bjh,bjhn,bjhv->bihv",
     [](int64_t L) {
       return Shapes{{2, L, 2, 3}, {2, L, 2}, {2, L, 2}, {2, L, 2, 3}, {2, L, 2, 2}};
     }},
    {"b[i..j]c,bjc,bjc->bic",
     [](int64_t L) {
       return Shapes(3, Shape{2, L, 3});
     }},
    {"b[i..j]nc,bjc,bjn,bjc,bin->bic",
     [](int64_t L) {
       return Shapes{{2, L, 3, 2}, {2, L, 2}, {2, L, 3}, {2, L, 2}, {2, L, 3}};
     }},
    {"[i..j],b[i..j],bjv,[i>=j]->biv",
     [](int64_t L) {
       return Shapes{{L}, {2, L}, {2, L, 2}};
     }},
    {"bic,[i-j]c,bjc,bjc->bic",
     [](int64_t L) {
       return Shapes{{3, L, 2}, {3, 2}, {3, L, 2}, {3, L, 2}};
     }},
    {"bic,c[i-j],bjc->bic",
     [](int64_t L) {
       return Shapes{{2, L, 2}, {2, L}, {2, L, 2}};
     }},
    {"2,[i-j]cd,jcb,[i>=j]->bdic",
     [](int64_t L) {
       return Shapes{{2 * L, 2, 2}, {L, 2, 3}};
     }},
    {"bjv,[i-j]->biv",
     [](int64_t L) {
       return Shapes{{2, L, 2}, {L}};
     }},
    {"bic,bjc,[i=j]->bic",
     [](int64_t L) {
       return Shapes{{2, L, 2}, {2, L, 2}};
     }},
    {"0.5,ic,[i=j],jd,cd->ci",
     [](int64_t L) {
       return Shapes{{L, 2}, {L, 3}, {2, 3}};
     }},
    {"bjc,[i>=j]->bic",
     [](int64_t L) {
       return Shapes{{2, L, 2}};
     }},
    {"-2,bin,bjn,[i>=j>i-3],bjv->biv",
     [](int64_t L) {
       return Shapes{{2, L, 2}, {2, L, 2}, {2, L, 2}};
     }},
    {"ij,[i>=j],bjv->biv",
     [](int64_t L) {
       return Shapes{{L, L}, {2, L, 2}};
     }},
    {"in,nm,jm,[i>=j],b[i..j],jv->bi",
     [](int64_t L) {
       return Shapes{{L, 2}, {2, 3}, {L, 3}, {2, L}, {L, 2}};
     }},
    {"bihn,bihv,[i>=j],bjhn->bjhv",  // the gradient of v
     [](int64_t L) {
       return Shapes{{1, L, 2, 2}, {1, L, 2, 3}, {1, L, 2, 2}};
     }},
    {"in,jn,[i>=j]->ij",
     [](int64_t L) {
       return Shapes{{L, 2}, {L, 2}};
     }},
    {"[i..t..j]sigmoid(a:btc),sigmoid(-1,a:bjc),bjc->bic",
     [](int64_t L) {
       return Shapes{{2, L, 3}, {2, L, 3}};
     }},
    {"[i..t..j]exp(dt:btc,nc),dt:bjc,bjn,bjc,bin->bic",
     [](int64_t L) {
       return Shapes{{2, L, 2}, {3, 2}, {2, L, 3}, {2, L, 2}, {2, L, 3}};
     }},
    {"0.5,bihn,[i..t..j]delta(k:bthn,w:bth,bth)m,w:bjh,k:bjhm,bjhv->bihv",
     [](int64_t L) {
       return Shapes{{1, L, 2, 3}, {1, L, 2, 3}, {1, L, 2}, {1, L, 2}, {1, L, 2, 2}};
     }},
    {"0.5,bihn,[i..t..j]exp(bthn),bjhn,bjhv->bihv",
     [](int64_t L) {
       return Shapes{{2, L, 2, 3}, {2, L, 2, 3}, {2, L, 2, 3}, {2, L, 2, 2}};
     }},
    {"0.5,bihn,[i..t..j]exp(bthn),bjh,bjhn,bjhv->bihv",
     [](int64_t L) {
       return Shapes{{1, L, 2, 3}, {1, L, 2, 3}, {1, L, 2}, {1, L, 2, 3}, {1, L, 2, 2}};
     }},
    {"0.5,bihn,[i..t..j]delta(k:bthn,w:bth,exp(bthn))m,w:bjh,k:bjhm,bjhv->bihv",
     [](int64_t L) {
       return Shapes{{1, L, 2, 3}, {1, L, 2, 3}, {1, L, 2}, {1, L, 2, 3}, {1, L, 2, 2}};
     }},
    {"in,[i..t..j]delta(tn,t,tn)m,jm,jv->iv",  // decays by channel as they are
     [](int64_t L) {
       return Shapes{{L, 2}, {L, 2}, {L}, {L, 2}, {L, 2}, {L, 3}};
     }},
    {"in,[i..t..j]delta(tn,t,t)m,jm,jv->iv",  // the key that writes is another
     [](int64_t L) {
       return Shapes{{L, 2}, {L, 2}, {L}, {L}, {L, 2}, {L, 3}};
     }},
    {"in,[i..t..j]sigmoid(tn,nm),sigmoid(0.5,jm),jv->iv",
     [](int64_t L) {
       return Shapes{{L, 2}, {L, 2}, {2, 3}, {L, 3}, {L, 2}};
     }},
    {"silu(bic),bjc,[i=j]->bic",
     [](int64_t L) {
       return Shapes{{2, L, 3}, {2, L, 3}};
     }},
    {"sigmoid(bjc),bic,[i=j]->bic",
     [](int64_t L) {
       return Shapes{{2, L, 3}, {2, L, 3}};
     }},
    {"exp(2,ic),[i=j],jd,cd->ci",
     [](int64_t L) {
       return Shapes{{L, 2}, {L, 3}, {2, 3}};
     }},
    {"bic,[i-j<4]c,bjc,bjc->bic",
     [](int64_t L) {
       return Shapes{{3, L, 2}, {4, 2}, {3, L, 2}, {3, L, 2}};
     }},
    {"softmax(in,jn,[i>=j>i-7]),jv->iv",  // more keys than queries
     [](int64_t L) {
       return Shapes{{(L + 1) / 2, 3}, {L, 3}, {L, 2}};
     }},
    {"silu(in,jn),[i>=j],jv->iv",
     [](int64_t L) {
       return Shapes{{(L + 1) / 2, 3}, {L, 3}, {L, 2}};
     }},
    {"in,[i-j]n,jn->in",
     [](int64_t L) {
       return Shapes{{(L + 1) / 2, 2}, {3, 2}, {L, 2}};
     }},
};

Tensor random(Exec& exec, Rng& rng, const Shape& shape, DType dtype) {
  std::vector<double> values(size_t(shape.numel()));
  for (double& v : values) v = float(rng.uniform(-1, 1.1));  // the same number in either type
  return exec.from(shape, values, dtype);
}

double largest_error(const std::vector<double>& a, const std::vector<double>& b) {
  double scale = 1e-3;
  for (double x : b) scale = std::max(scale, std::abs(x));
  return largest_difference(a, b) / scale;
}

// "chunks of {}" of "chunks of 64".
std::string without_size(const std::string& name) {
  std::string text;
  for (char c : name)
    if (!std::isdigit(static_cast<unsigned char>(c))) text += c;
  return text.ends_with(' ') ? text + "{}" : text;
}

void check_all(const std::set<std::string>& seen) {
  for (const Order& order : all_orders()) {
    INFO(std::string(order.name) << " has no case");
    CHECK(seen.count(order.name) == 1);
  }
}

}  // namespace

TEST_CASE("structure: every order of every network gives its definition") {
  Rng rng(1, "test.structure");
  std::set<std::string> run;
  for (const Example& example : kExamples)
    for (int64_t L : {int64_t(1), int64_t(2), int64_t(16), int64_t(17), kBeyondChunks}) {
      Exec exec(cpu_backend());
      std::vector<Tensor> tensors;
      for (auto& shape : example.shapes(L)) tensors.push_back(random(exec, rng, shape, DType::f64));
      std::vector<double> expected = Definition(example.text, tensors).result();
      for (DType dtype : {DType::f64, DType::f32}) {
        Tape tape(exec, false);
        const double bound = dtype == DType::f64 ? 1e-12 : 1e-5;
        std::vector<Var> vars;
        for (auto& t : tensors)
          vars.push_back(tape.constant(exec.from(t.shape(), t.to_doubles(), dtype)));
        for (const std::string& order : names_of(plan_of(example.text, example.shapes(L)))) {
          run.insert(without_size(order));
          INFO(std::string(example.text) << " with " << L << " tokens by " << order);
          Tensor y = Contraction(example.text).by(order, vars).value();
          CHECK(largest_error(y.to_doubles(), expected) < bound);
        }
        CHECK(largest_error(Contraction(example.text)(vars).value().to_doubles(), expected) <
              bound);
      }
    }
  check_all(run);
}

TEST_CASE("structure: every order of every network over many chunks gives its scores") {
  Rng rng(3, "test.structure.long");
  for (const Example& example : kExamples) {
    Exec exec(cpu_backend());
    Tape tape(exec, false);
    std::vector<Var> vars;
    for (auto& shape : example.shapes(kManyChunks))
      vars.push_back(tape.constant(random(exec, rng, shape, DType::f64)));
    const auto orders = names_of(plan_of(example.text, example.shapes(kManyChunks)));
    if (orders.size() == 1) continue;  // what the scores are judged by above
    const auto expected = Contraction(example.text).by("scores", vars).value().to_doubles();
    for (const std::string& order : orders) {
      INFO(std::string(example.text) << " by " << order);
      Tensor y = Contraction(example.text).by(order, vars).value();
      CHECK(largest_error(y.to_doubles(), expected) < 1e-11);
    }
  }
}

TEST_CASE("structure: gradients of every order") {
  Rng rng(2, "test.structure.gradient");
  std::set<std::string> differentiated;
  int in_three_chunks = 0;
  for (const Example& example : kExamples) {
    std::set<std::string> of_example;
    for (int64_t L : {int64_t(19), kThreeChunks, kBeyondChunks})
      for (const std::string& order : names_of(plan_of(example.text, example.shapes(L)))) {
        // Longer sequences are for the orders that shorter ones do not reach, and for what the first
        // chunk wrote: it reaches the third by a state that has faded.
        const bool three = L == kThreeChunks && order == "chunks of 16";
        if (L > 19 && !three && of_example.count(without_size(order))) continue;
        of_example.insert(without_size(order));
        in_three_chunks += three;
        INFO(std::string(example.text) << " with " << L << " tokens by " << order);
        Exec exec(cpu_backend());
        std::vector<Tensor> inputs;
        for (auto& shape : example.shapes(L))
          inputs.push_back(random(exec, rng, shape, DType::f64));
        auto f = [&](Tape&, const std::vector<Var>& x) {
          return Contraction(example.text).by(order, x);
        };
        CHECK(gradient_error(exec, f, inputs) < 1e-6);
      }
    differentiated.merge(of_example);
  }
  check_all(differentiated);
  CHECK(in_three_chunks > 10);
}

TEST_CASE("structure: tensors that do not fit are refused") {
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  auto zeros = [&](const Shape& shape) { return tape.constant(exec.zeros(shape, DType::f64)); };
  Var four = zeros({4, 2}), five = zeros({5, 2}), row = zeros({4});
  CHECK_THROWS_WITH_AS(Contraction("in,jn,[i>=j]->ij")({five, four}),
                       doctest::Contains("5 tokens read 4"), Error);  // more queries than keys
  CHECK_THROWS_WITH_AS(Contraction("in,[i..j],jn->i")({four, zeros({5}), four}),
                       doctest::Contains("'j' is 5 and 4"), Error);
  CHECK_THROWS_WITH_AS(Contraction("in,[i..j],jn->i")({four, zeros({5}), five}),
                       doctest::Contains("decays between 4 and 5 tokens"), Error);
  CHECK_THROWS_WITH_AS(Contraction("n,[i>=j]->n")({row}), doctest::Contains("no tensor has tokens"),
                       Error);  // nothing has tokens
  CHECK_THROWS_WITH_AS(Contraction("in,jn,[i>=j]->ij")({four}),
                       doctest::Contains("1 tensors given, more expected"), Error);
  CHECK_THROWS_WITH_AS(Contraction("in,jn,[i>=j]->ij")({four, four, four}),
                       doctest::Contains("3 tensors given, 2 expected"), Error);
  CHECK_THROWS_WITH_AS(
      Contraction("softmax(in,jn,[i>=j]),jn->in").by("state", std::vector{four, four, four}),
      doctest::Contains("no order `state`"), Error);
}

}  // namespace star::autograd
