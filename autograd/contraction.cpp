#include "autograd/contraction.h"

#include <algorithm>
#include <list>
#include <optional>

#include "autograd/orders.h"

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

  // Calls f(order's name, its program, its result) for all orders that fit.
  template <class F>
  void for_each_order(std::span<const Shape> shapes, const Rates& rates, bool told,
                      const F& f) const {
    BoundNetwork bound = bind(network, shapes);
    for (const Order& order : all_orders())
      for (int64_t size : order.match(bound, rates)) {
        Machine machine(network, rates, told);
        int result = order.program(machine, bound, size).value;
        f(Candidate{order.name_with(size), std::move(machine).program(), result});
      }
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
    std::optional<Candidate> best;
    std::vector<Shape> shapes = shapes_of(tensors);
    for_each_order(shapes, rates, false, [&](Candidate c) {
      if (!best || c.program.cost().time(rates) < best->program.cost().time(rates))
        best.emplace(std::move(c));
    });
    ++plans;
    kept.push_front({std::move(shapes), &rates, *std::move(best)});
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
  Var y;
  prepared_->for_each_order(shapes_of(tensors), tensors[0].exec().backend().rates, false,
                            [&](const Candidate& c) {
                              if (c.name == name && !y.defined())
                                y = c.program.run(tensors, c.result);
                            });
  require(y.defined(), "contract \"{}\": no order `{}`", text(), name);
  return y;
}

ContractionPlan Contraction::plan(std::span<const Shape> shapes, const Rates& rates) const {
  ContractionPlan plan;
  prepared_->for_each_order(shapes, rates, true, [&](const Candidate& c) {
    plan.orders.push_back({c.name, c.program.steps(), c.program.cost()});
    if (plan.orders.back().cost.time(rates) < plan.orders[plan.chosen].cost.time(rates))
      plan.chosen = plan.orders.size() - 1;
  });
  return plan;
}

}  // namespace star
