// star liv explain: the tensor network of an operator, the orders in which it can be contracted,
// what each costs on a device, and which is taken. No device is needed to say it.
#include "autograd/plan.h"
#include "liv/operator.h"
#include "star/device.h"
#include "tools/command.h"
#include "tools/options.h"

namespace star::cli {
namespace {

std::string in_units(double x) {
  const char* units[] = {"", " k", " M", " G", " T", " P"};
  int u = 0;
  for (; x >= 1000 && u < 5; ++u) x /= 1000;
  return fmt::format("{:.{}f}{}", x, u ? 1 : 0, units[u]);
}

std::string in_thousands(double x) {
  return x < 1e6 ? fmt::format("{:g} k", x / 1e3) : fmt::format("{:g} M", x / 1e6);
}

nlohmann::json cost_json(const Cost& c, const Rates& rates) {
  return {{"flops", c.flops},
          {"bytes", c.bytes},
          {"memory_bytes", c.memory},
          {"operations", c.operations},
          {"time", c.time(rates)}};
}

struct LivExplain {
  Common common;
  std::string text;
  Sizes sizes;
  int64_t length = 256, batch = 1;

  void run() const {
    LivClass liv = class_named(text);
    Sizes s = sizes;
    s.seq = length;
    check_sizes(s);
    Operator op(liv, s);
    const Rates& rates = rates_named(common.device);
    ContractionPlan plan = op.plan(batch, length, rates);
    std::string why = reason(plan, rates);
    if (common.json) return print_plan_json(op, plan, rates, why);
    fmt::print("{} ({}), {} of {} tokens, width {}, {} heads{}\n\n", liv.name,
               digits_text(liv.op.digits),
               batch == 1 ? "a sequence" : fmt::format("{} sequences", batch), length, s.width,
               s.heads, liv.differential ? "; T = T0 - λ T1, each contracted so" : "");
    fmt::print("network  {}\n\n  {:22} {:>11} {:>11} {:>11} {:>11}\n", op.mixing().network().text(),
               "order", "FLOPs", "bytes moved", "bytes kept", "est. FLOPs");
    for (size_t n = 0; n < plan.orders.size(); ++n) {
      const ContractionOrder& order = plan.orders[n];
      fmt::print("{} {:22} {:>11} {:>11} {:>11} {:>11}\n", n == plan.chosen ? "*" : " ", order.name,
                 in_units(order.cost.flops), in_units(order.cost.bytes),
                 in_units(order.cost.memory), in_units(order.cost.time(rates)));
    }
    fmt::print("\n{}\n\nsteps of {}\n", why, plan.best().name);
    for (auto& step : plan.best().steps)
      fmt::print("  {:44} {:>11} FLOPs {:>11} bytes\n", step.what, in_units(step.cost.flops),
                 in_units(step.cost.bytes));
  }

  static std::string reason(const ContractionPlan& plan, const Rates& rates) {
    const ContractionOrder& best = plan.best();
    if (plan.orders.size() == 1)
      return "Scores are the only order: a function of the entries of T needs the entries.";
    const ContractionOrder* next = nullptr;
    for (auto& order : plan.orders)
      if (&order != &best && (!next || order.cost.time(rates) < next->cost.time(rates)))
        next = &order;
    return fmt::format(
        "{} is taken: by the estimate, in FLOPs (those + {:g} a byte + {} an operation), {} takes "
        "{:.3g} times as long.",
        best.name, rates.byte, in_thousands(rates.operation), next->name,
        next->cost.time(rates) / best.cost.time(rates));
  }

  void print_plan_json(const Operator& op, const ContractionPlan& plan, const Rates& rates,
                       const std::string& why) const {
    nlohmann::json orders = nlohmann::json::array();
    for (auto& order : plan.orders) {
      nlohmann::json entry = cost_json(order.cost, rates), steps = nlohmann::json::array();
      for (auto& step : order.steps) {
        steps.push_back(cost_json(step.cost, rates));
        steps.back()["what"] = step.what;
      }
      entry["name"] = order.name;
      entry["steps"] = steps;
      orders.push_back(entry);
    }
    print_json({{"class", std::string(1, op.liv().id)},
                {"name", op.liv().name},
                {"network", op.mixing().network().text()},
                {"parts", op.layout().parts()},
                {"orders", orders},
                {"chosen", plan.best().name},
                {"why", why}});
  }
};

}  // namespace

void declare_liv_explain(CLI::App& liv) {
  auto c = std::make_shared<LivExplain>();
  CLI::App* sub = liv.add_subcommand(
      "explain", "The tensor network, its contraction orders with their costs, the one chosen");
  sub->add_option("class", c->text, "An id, a name, or a genome of one LIV")->required();
  auto add = [&](const char* name, int64_t& value, const char* what) {
    add_whole(*sub, name, value, 1, int64_t(1) << 24, what)->capture_default_str();
  };
  add("--seq", c->length, "Tokens L");
  add("--width", c->sizes.width, "Width d");
  add("--heads", c->sizes.heads, "Heads H; they divide the width");
  add("--window", c->sizes.window, "Positions that banded operators see");
  add("--batch", c->batch, "Sequences");
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
