// star liv verify.
#include "liv/verify.h"
#include "tools/command.h"
#include "tools/operator_sizes.h"
#include "tools/options.h"
#include "tools/output.h"

namespace star::cli {
namespace {

// A column of the table: a check, and its heading in two lines.
struct Column {
  const char *check, *above, *below;
};
constexpr Column kColumns[] = {{"causality", "above", "diag."},
                               {"diagonal", "off", "diag."},
                               {"band", "off", "band"},
                               {"score rank", "score", "rank"},
                               {"semi-separable order", "s.-sep.", "order"},
                               {"Toeplitz", "Toepl.", ""},
                               {"residual", "dense", "f64"},
                               {"dense float32", "dense", "f32"},
                               {"recurrent float64", "recur.", "f64"},
                               {"recurrent float32", "recur.", "f32"},
                               {"prefill float64", "prefill", "f64"},
                               {"prefill float32", "prefill", "f32"},
                               {"cache", "cache", ""},
                               {"parameters", "params", ""}};

double nearness(const Check& c) { return c.bound > 0 ? c.value / c.bound : c.value; }

std::string figure(const Check& c) {
  std::string text = c.value < 1 ? fmt::format("{:.0e}", c.value) : fmt::format("{:.3g}", c.value);
  if (c.value == 0) text = "0";
  if (c.bound >= 1) text = fmt::format("{}/{}", c.value, c.bound);
  return c.pass() ? text : text + "!";
}

struct Verify {
  Common common;
  Sizes sizes;
  int64_t length = 0;
  std::string name;
  int failed = 0;

  Verify() {
    sizes.width = 16;
    sizes.window = 8;
  }

  // Longer than a chunk of the recurrences, and long enough for every rank to be exceeded.
  int64_t length_for(const LivClass& liv) const {
    constexpr int64_t kLength = 72;
    return length > 0 ? length : std::max(kLength, 3 * least_length(Layout(liv, sizes)) / 2);
  }

  void print_head() const {
    fmt::print("width {}, {} heads, window {}, seed {}. ", sizes.width, sizes.heads, sizes.window,
               common.seed);
    fmt::print("Bounds: float64 1e-10, float32 1e-5, ranks as n/bound, all else 0; ! fails.\n\n");
    for (auto heading : {&Column::above, &Column::below}) {
      fmt::print("{:13}", heading == &Column::below ? "id class" : "");
      for (auto& column : kColumns) fmt::print("{:>8}", column.*heading);
      fmt::print("\n");
    }
  }

  // One class on one line: of T and its parts what comes nearest to its bound.
  void print_row(const LivClass& liv, const std::vector<Check>& checks) const {
    fmt::print("{}  {:10}", liv.id, liv.name);
    for (auto& column : kColumns) {
      const Check* worst = nullptr;
      for (auto& c : checks)
        if (c.name == column.check && (!worst || !(nearness(c) <= nearness(*worst)))) worst = &c;
      fmt::print("{:>8}", worst ? figure(*worst) : "·");
    }
    fmt::print("\n");
  }

  nlohmann::json row(const LivClass& liv, const std::vector<Check>& checks) const {
    nlohmann::json list = nlohmann::json::array();
    for (auto& c : checks) {
      list.push_back({{"name", c.name},
                      {"of", c.of},
                      {"value", c.value},
                      {"bound", c.bound},
                      {"pass", c.pass()}});
    }
    return {{"id", std::string(1, liv.id)},
            {"name", liv.name},
            {"operator", digits_text(liv.op.digits)},
            {"checks", list}};
  }

  void run() {
    check_sizes(sizes);
    auto exec = common.make_exec();
    std::vector<LivClass> classes = extended_pool().classes;
    if (!name.empty()) classes = {class_named(name)};
    nlohmann::json rows = nlohmann::json::array();
    int done = 0;
    for (const LivClass& liv : classes) {
      sizes.seq = length_for(liv);
      std::vector<Check> checks = verify(*exec, liv, sizes, sizes.seq, common.seed);
      for (auto& c : checks) failed += !c.pass();
      if (common.json)
        rows.push_back(row(liv, checks));
      else if (done++ == 0)
        print_head();
      if (!common.json) print_row(liv, checks);
    }
    if (common.json) print_json({{"classes", rows}});
    if (failed > 0) throw Failure(fmt::format("liv verify: {} checks failed", failed));
  }
};

}  // namespace

void declare_liv_verify(CLI::App& liv) {
  auto c = std::make_shared<Verify>();
  CLI::App* sub = liv.add_subcommand(
      "verify", "Certificates of structure, and agreement of the four views: exit 1 if one fails");
  sub->add_option("class", c->name,
                  "An id, a name or a genome of one LIV (default: every class of the pool)");
  c->common.declare(*sub);
  declare_operator_sizes(*sub, c->sizes, c->length,
                         "Tokens (default 72, more where a class has more states)");
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
