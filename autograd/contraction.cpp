#include "autograd/contraction.h"

#include <algorithm>
#include <list>
#include <optional>

#include "autograd/orders.h"
#include "autograd/plan.h"

namespace star {
namespace {

// Shapes that are kept: those of training, of evaluation and of both ends of a data set. Where keys
// grow, each is met once.
constexpr size_t kMostKept = 8;

std::vector<Shape> shapes_of(std::span<const Var> tensors) {
  std::vector<Shape> shapes;
  for (const Var& x : tensors) shapes.push_back(x.shape());
  return shapes;
}

// An order for tensors of some shapes, and the number of its result among the program's values.
struct Candidate {
  std::string name;
  Program program;
  int result;
};

// Where the candidate of least cost stands; of those that cost the same, the first.
size_t cheapest(const std::vector<Candidate>& candidates, const Rates& rates) {
  auto less = [&](const Candidate& a, const Candidate& b) {
    return a.program.cost().time(rates) < b.program.cost().time(rates);
  };
  return size_t(std::min_element(candidates.begin(), candidates.end(), less) - candidates.begin());
}

}  // namespace

struct Contraction::Prepared {
  Network network;
  // What a call does with tensors of these shapes.
  struct Kept {
    std::vector<Shape> shapes;
    const Rates* rates;
    Candidate order;
    bool is_for(std::span<const Var> tensors) const {
      return shapes.size() == tensors.size() && rates == &tensors[0].exec().backend().rates &&
             std::equal(shapes.begin(), shapes.end(), tensors.begin(),
                        [](const Shape& shape, const Var& x) { return shape == x.shape(); });
    }
  };
  std::list<Kept> kept;  // the last used first
  int64_t plans = 0;

  std::optional<Order::Step> step;  // what carries a state on, once it has been asked for

  explicit Prepared(const std::string& text) : network(parse_network(text)) {}

  const Order::Step& step_by_order() {
    if (step) return *step;
    step.emplace();
    BoundNetwork letters = without_shapes(network);
    for (const Order& order : all_orders())
      if (!*step && order.step) *step = order.step(letters);
    return *step;
  }

  // All orders that fit.
  std::vector<Candidate> candidates(std::span<const Shape> shapes, const Rates& rates,
                                    bool told) const {
    std::vector<Candidate> all;
    BoundNetwork bound = bind(network, shapes);
    for (const Order& order : all_orders())
      for (int64_t size : order.match(bound, rates)) {
        Machine machine(network, rates, told);
        int result = order.program(machine, bound, size).value;
        all.push_back({order.name_with(size), std::move(machine).program(), result});
      }
    return all;
  }

  const Candidate& order_for(std::span<const Var> tensors) {
    auto at =
        std::find_if(kept.begin(), kept.end(), [&](const Kept& k) { return k.is_for(tensors); });
    if (at != kept.end()) {
      kept.splice(kept.begin(), kept, at);
      return kept.front().order;
    }
    require(!tensors.empty(), "contract \"{}\": no tensor given", network.text);
    const Rates& rates = tensors[0].exec().backend().rates;
    std::vector<Shape> shapes = shapes_of(tensors);
    std::vector<Candidate> all = candidates(shapes, rates, false);
    ++plans;
    kept.push_front({std::move(shapes), &rates, std::move(all[cheapest(all, rates)])});
    if (kept.size() > kMostKept) kept.pop_back();
    return kept.front().order;
  }
};

Contraction::Contraction(const std::string& network)
    : prepared_(std::make_unique<Prepared>(network)) {}
Contraction::~Contraction() = default;
Contraction::Contraction(Contraction&&) noexcept = default;

const std::string& Contraction::text() const { return prepared_->network.text; }

int64_t Contraction::plans() const { return prepared_->plans; }

Var Contraction::operator()(std::span<const Var> tensors) const {
  const Candidate& order = prepared_->order_for(tensors);
  return order.program.run(tensors, order.result);
}

Var Contraction::step(std::span<const Var> tensors, State& state) const {
  const Network& network = prepared_->network;
  if (const Order::Step& step = prepared_->step_by_order()) {
    require(int(tensors.size()) == network.tensors,
            "contract \"{}\": {} tensors given, {} expected", network.text, tensors.size(),
            network.tensors);
    return step(tensors, state);
  }
  for (const Node& n : network.nodes)
    require(n.kind != Node::Kind::decay && n.kind != Node::Kind::toeplitz &&
                n.kind != Node::Kind::delta,
            "contract \"{}\": no order goes on token by token", network.text);
  return (*this)(tensors);
}

Var Contraction::by(const std::string& name, std::span<const Var> tensors) const {
  require(!tensors.empty(), "contract \"{}\": no tensor given", text());
  for (auto& c :
       prepared_->candidates(shapes_of(tensors), tensors[0].exec().backend().rates, false))
    if (c.name == name) return c.program.run(tensors, c.result);
  fail("contract \"{}\": no order `{}`", text(), name);
}

ContractionPlan Contraction::plan(std::span<const Shape> shapes, const Rates& rates) const {
  std::vector<Candidate> all = prepared_->candidates(shapes, rates, true);
  ContractionPlan plan{.orders = {}, .chosen = cheapest(all, rates)};
  for (auto& c : all) plan.orders.push_back({c.name, c.program.steps(), c.program.cost()});
  return plan;
}

}  // namespace star
