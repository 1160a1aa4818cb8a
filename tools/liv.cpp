// star liv list; the other views of the operators are in tools/liv_views.cpp.
#include <algorithm>

#include "liv/pool_file.h"
#include "tools/command.h"

namespace star::cli {
namespace {

struct LivList {
  Common common;
  std::string pool = "extended", format = "table";

  void run() const {
    const Pool in_force = named_pool(pool);
    if (format == "pool") {
      const std::string text = pool_text(in_force);
      return common.json ? print_json({{"pool", text}}) : fmt::print("{}", text);
    }
    nlohmann::json classes = nlohmann::json::array();
    size_t wide = 9;
    for (auto& c : in_force.classes) wide = std::max(wide, c.name.size());
    if (!common.json) fmt::print("id  {:{}}  operator  features\n", "name", wide);
    for (auto& c : in_force.classes) {
      std::vector<std::string> features;
      for (auto& g : c.groups)
        features.push_back(fmt::format("{} {}", text_of(g.role), digits_text(g.digits)));
      std::string op = digits_text(c.op.digits);
      if (!common.json) {
        fmt::print("{}   {:{}}  {}     {}\n", c.id, c.name, wide, op, fmt::join(features, ", "));
        continue;
      }
      classes.push_back({{"id", std::string(1, c.id)},
                         {"name", c.name},
                         {"operator", op},
                         {"differential", c.differential},
                         {"features", features},
                         {"shareable_weights", texts_of(c.shareable_weights)},
                         {"shareable_features", texts_of(c.shareable_features)}});
    }
    if (common.json) print_json({{"classes", classes}});
  }
};

}  // namespace

void declare_liv(CLI::App& app) {
  app.add_subcommand("liv", "The operators")->require_subcommand(1);
}

void declare_liv_list(CLI::App& liv) {
  auto c = std::make_shared<LivList>();
  CLI::App* list = liv.add_subcommand("list", "The pool of LIV classes");
  declare_pool(*list, c->pool);
  list->add_option("--format", c->format, "table, or pool: the text of a pool file")
      ->check(CLI::IsMember({"table", "pool"}))
      ->capture_default_str();
  c->common.declare(*list);
  list->callback([c] { c->run(); });
}

}  // namespace star::cli
