// Networks with structure: every order against a sum over all letters, and gradients.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "autograd/contraction.h"
#include "autograd/gradient_check.h"
#include "autograd/orders.h"
#include "core/rng.h"
#include "tests/difference.h"

namespace star {
namespace {

using Assignment = std::map<char, int64_t>;

// The definition of a network, evaluated one entry at a time.
class Definition {
 public:
  Definition(const std::string& text, const std::vector<Tensor>& tensors)
      : network_(parse_network(text)) {
    for (auto& t : tensors) data_.push_back({t.shape(), t.to_doubles()});
    size_t next = 0;
    note_extents(network_.nodes, next);
  }

  std::vector<double> result() {
    std::vector<double> out;
    Assignment at;
    walk(network_.result, at, [&] { out.push_back(entry(at)); });
    return out;
  }

 private:
  struct Data {
    Shape shape;
    std::vector<double> values;
  };

  void note_extents(const std::vector<Node>& nodes, size_t& next) {
    for (auto& n : nodes) {
      if (n.kind == Node::Kind::function) note_extents(n.inside, next);
      if (!has_tensor(n)) continue;
      for (size_t i = 0; i < n.axes.size(); ++i) {
        if (n.axes[i] != Node::kTokens) extents_[n.axes[i]] = data_[next].shape[int(i)];
        if (n.kind == Node::Kind::decay && n.axes[i] == Node::kTokens)
          extents_[network_.read] = extents_[network_.write] = data_[next].shape[int(i)];
      }
      ++next;
    }
    if (!network_.read) return;
    extents_.emplace(network_.read, extents_[network_.write]);
    extents_.emplace(network_.write, extents_[network_.read]);
  }
  static bool has_tensor(const Node& n) {
    return n.kind == Node::Kind::tensor || n.kind == Node::Kind::toeplitz ||
           n.kind == Node::Kind::decay;
  }
  static size_t tensors_of(const Node& n) {
    size_t count = has_tensor(n);
    for (auto& x : n.inside) count += tensors_of(x);
    return count;
  }

  template <class F>
  void walk(const std::string& letters, Assignment& at, const F& f, size_t from = 0) const {
    if (from == letters.size()) return f();
    for (int64_t n = 0; n < extents_.at(letters[from]); ++n) {
      at[letters[from]] = n;
      walk(letters, at, f, from + 1);
    }
    at.erase(letters[from]);
  }

  std::string free_letters(const std::vector<Node>& nodes, const Assignment& at) const {
    std::string free;
    auto add = [&](char c) {
      if (c != Node::kTokens && !at.count(c) && free.find(c) == free.npos) free += c;
    };
    for (auto& n : nodes) {
      for (char c : n.axes) add(c);
      if (n.kind != Node::Kind::tensor && n.kind != Node::Kind::number &&
          n.kind != Node::Kind::function) {
        add(network_.read);
        add(network_.write);
      }
    }
    return free;
  }

  // Letters of functions that something outside of them has are walked outside of them.
  double entry(Assignment at) const {
    std::string free = free_letters(network_.nodes, at);
    for (auto& n : network_.nodes)
      if (n.kind == Node::Kind::function)
        for (char c : {network_.read, network_.write})
          if (!at.count(c) && free.find(c) == free.npos) free += c;
    double sum = 0;
    walk(free, at, [&] { sum += product(network_.nodes, at, 0); });
    return sum;
  }

  double product(const std::vector<Node>& nodes, const Assignment& at, size_t tensor,
                 bool with_bands = true) const {
    double value = 1;
    for (auto& n : nodes) {
      if (n.kind != Node::Kind::band || with_bands) value *= node(n, at, tensor);
      tensor += tensors_of(n);
    }
    return value;
  }

  double inside(const Node& n, Assignment at, size_t tensor, bool with_bands) const {
    double sum = 0;
    walk(free_letters(n.inside, at), at, [&] { sum += product(n.inside, at, tensor, with_bands); });
    return sum;
  }

  bool sees(const Node& band, const Assignment& at) const {
    int64_t i = at.at(network_.read) + extents_.at(network_.write) - extents_.at(network_.read);
    int64_t j = at.at(network_.write);
    return j <= i && (band.window == Node::kCausal || j > i - band.window);
  }

  double node(const Node& n, const Assignment& at, size_t tensor) const {
    int64_t i = 0, j = 0;
    if (network_.read) {
      i = at.at(network_.read) + extents_.at(network_.write) - extents_.at(network_.read);
      j = at.at(network_.write);
    }
    switch (n.kind) {
      case Node::Kind::number:
        return n.number;
      case Node::Kind::band:
        return sees(n, at);
      case Node::Kind::tensor:
        return value(n, at, tensor, 0);
      case Node::Kind::toeplitz:
        return i < j || i - j >= data_[tensor].shape[int(n.axes.find(Node::kTokens))]
                   ? 0
                   : value(n, at, tensor, i - j);
      case Node::Kind::decay: {
        double product = j <= i;
        for (int64_t k = j + 1; k <= i; ++k) product *= value(n, at, tensor, k);
        return product;
      }
      case Node::Kind::function:
        break;
    }
    switch (n.function) {
      case Node::Function::softmax:
        return softmax(n, at, tensor);
      case Node::Function::relu:
        return std::max(inside(n, at, tensor, true), 0.0);
      case Node::Function::silu: {
        double x = inside(n, at, tensor, true);
        return x / (1 + std::exp(-x));
      }
    }
    FAIL("a function without a definition");
    return NAN;
  }

  double softmax(const Node& n, Assignment at, size_t tensor) const {
    double total = 0, own = 0;
    int64_t j = at.at(network_.write);
    for (int64_t other = 0; other < extents_.at(network_.write); ++other) {
      at[network_.write] = other;
      bool visible = true;
      for (auto& x : n.inside)
        if (x.kind == Node::Kind::band) visible &= sees(x, at);
      double e = visible ? std::exp(inside(n, at, tensor, false)) : 0;
      total += e;
      if (other == j) own = e;
    }
    return own / total;
  }

  double value(const Node& n, const Assignment& at, size_t tensor, int64_t token) const {
    const Data& d = data_[tensor];
    int64_t offset = 0;
    for (size_t i = 0; i < n.axes.size(); ++i)
      offset = offset * d.shape[int(i)] + (n.axes[i] == Node::kTokens ? token : at.at(n.axes[i]));
    return d.values[size_t(offset)];
  }

  Network network_;
  std::vector<Data> data_;
  Assignment extents_;
};

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

std::vector<OrderChoice> orders_of(const std::string& network, const std::vector<Shape>& shapes) {
  std::vector<Operand> operands;
  for (auto& shape : shapes) operands.push_back({"", shape});
  return possible_orders(star::bind(parse_network(network), operands));
}

void check_all(const std::set<Algorithm>& seen){
#define STAR_CASE(id, name)                    \
  {                                            \
    INFO(std::string(name) << " has no case"); \
    CHECK(seen.count(Algorithm::id) == 1);     \
  }
    STAR_ALGORITHMS(STAR_CASE)
#undef STAR_CASE
}

std::set<std::string> names_of(const ContractionPlan& plan) {
  std::set<std::string> names;
  for (auto& order : plan.orders) names.insert(order.name);
  return names;
}

std::string chosen(const std::string& network, const std::vector<Shape>& shapes) {
  ContractionPlan plan = plan_contraction(network, shapes);
  return plan.orders[plan.chosen].name;
}

}  // namespace

TEST_CASE("structure: every order of every network gives its definition") {
  Rng rng(1, "test.structure");
  std::set<Algorithm> run;
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
        for (auto& order : orders_of(example.text, example.shapes(L))) {
          run.insert(order.algorithm);
          INFO(std::string(example.text) << " with " << L << " tokens by " << order.name());
          Tensor y = contract_by(order.name(), example.text, vars).value();
          CHECK(largest_error(y.to_doubles(), expected) < bound);
        }
        CHECK(largest_error(contract(example.text, vars).value().to_doubles(), expected) < bound);
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
    const auto orders = orders_of(example.text, example.shapes(kManyChunks));
    if (orders.size() == 1) continue;  // what the scores are judged by above
    const auto expected = contract_by("scores", example.text, vars).value().to_doubles();
    for (auto& order : orders) {
      INFO(std::string(example.text) << " by " << order.name());
      Tensor y = contract_by(order.name(), example.text, vars).value();
      CHECK(largest_error(y.to_doubles(), expected) < 1e-11);
    }
  }
}

TEST_CASE("structure: gradients of every order") {
  Rng rng(2, "test.structure.gradient");
  std::set<Algorithm> differentiated;
  for (const Example& example : kExamples) {
    std::set<Algorithm> of_example;
    for (int64_t L : {int64_t(19), kBeyondChunks})
      for (auto& order : orders_of(example.text, example.shapes(L))) {
        // Sequences as long as that are for the orders that shorter ones do not reach.
        if (L > 19 && of_example.count(order.algorithm)) continue;
        of_example.insert(order.algorithm);
        INFO(std::string(example.text) << " with " << L << " tokens by " << order.name());
        Exec exec(cpu_backend());
        std::vector<Tensor> inputs;
        for (auto& shape : example.shapes(L))
          inputs.push_back(random(exec, rng, shape, DType::f64));
        auto f = [&](Tape&, const std::vector<Var>& x) {
          return contract_by(order.name(), example.text, x);
        };
        CHECK(gradient_error(exec, f, inputs) < 1e-6);
      }
    differentiated.merge(of_example);
  }
  check_all(differentiated);
}

TEST_CASE("structure: the orders that fit, and only those") {
  auto orders = [](const std::string& network, const std::vector<Shape>& shapes) {
    return names_of(plan_contraction(network, shapes));
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

TEST_CASE("structure: the order follows the sizes") {
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
    for (auto& order : plan_contraction("bihn,bjhn,[i>=j],bjhv->bihv", {x, x, x}).orders)
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

TEST_CASE("structure: tensors that do not fit are refused") {
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  auto zeros = [&](const Shape& shape) { return tape.constant(exec.zeros(shape, DType::f64)); };
  Var four = zeros({4, 2}), five = zeros({5, 2}), row = zeros({4});
  CHECK_THROWS_WITH_AS(contract("in,jn,[i>=j]->ij", {five, four}),
                       doctest::Contains("5 tokens read 4"), Error);  // more queries than keys
  CHECK_THROWS_WITH_AS(contract("in,[i..j],jn->i", {four, zeros({5}), four}),
                       doctest::Contains("'j' is 5 and 4"), Error);
  CHECK_THROWS_WITH_AS(contract("in,[i..j],jn->i", {four, zeros({5}), five}),
                       doctest::Contains("decays between 4 and 5 tokens"), Error);
  CHECK_THROWS_WITH_AS(contract("n,[i>=j]->n", {row}), doctest::Contains("no tensor has tokens"),
                       Error);  // nothing has tokens
  CHECK_THROWS_WITH_AS(contract("in,jn,[i>=j]->ij", {four}),
                       doctest::Contains("1 tensors given, more expected"), Error);
  CHECK_THROWS_WITH_AS(contract("in,jn,[i>=j]->ij", {four, four, four}),
                       doctest::Contains("3 tensors given, 2 expected"), Error);
  CHECK_THROWS_WITH_AS(contract_by("state", "softmax(in,jn,[i>=j]),jn->in", {four, four, four}),
                       doctest::Contains("no order `state`"), Error);
}

}  // namespace star
