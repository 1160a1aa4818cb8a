// star motifs: what the genomes that a search has kept have in common.
#include "star/after/motif_table.h"

#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star::cli {
namespace {

struct Motifs : RunCommand {
  MotifOptions options;

  void execute() {
    open();
    const MotifTable table = motif_table(study(), options);
    common.json ? print_documents(table) : print_text(table);
  }

 private:
  void print_documents(const MotifTable& table) const {
    nlohmann::json motifs = nlohmann::json::array();
    for (auto& f : table.findings) {
      nlohmann::json j = {{"kind", f.motif.kind},
                          {"motif", f.motif.text},
                          {"count", f.count},
                          {"with", f.with},
                          {"without", f.without}};
      for (auto& [name, test] : f.among)
        j[name] = {{"count", test.others}, {"p", test.p}, {"adjusted_p", test.adjusted}};
      j["effects"] = nlohmann::json::object();
      for (auto& [name, effect] : f.effects)
        j["effects"][name] = {{"mean_with", effect.mean_with},
                              {"mean_without", effect.mean_without},
                              {"difference", effect.mean_with - effect.mean_without},
                              {"p", effect.p},
                              {"adjusted_p", effect.adjusted}};
      motifs.push_back(std::move(j));
    }
    print_json({{"run", path},
                {"from", options.from},
                {"genomes", table.kept.size()},
                {"initial", table.others.at("initial").size()},
                {"random", table.others.at("random").size()},
                {"evaluated", table.judged.motifs.size()},
                {"motifs", motifs}});
  }

  void print_text(const MotifTable& table) const {
    fmt::print(
        "Motifs of {} genomes of the {}, against {} of the initial population and {} random "
        "ones;\neffects among {} evaluated genomes: the mean with it less the mean without "
        "it.\nq: p of Fisher's exact and of the rank-sum test, adjusted for the number of "
        "motifs of the kind.\n",
        table.kept.size(), options.from, table.others.at("initial").size(),
        table.others.at("random").size(), table.judged.motifs.size());
    for (auto& kind : motif_kinds()) {
      std::vector<std::string> head = {options.from, "initial", "q", "random", "q"};
      for (auto& objective : settings().objectives)
        head.insert(head.end(), {objective.name(), "q"});
      head.push_back(kind);
      Table text(head);
      bool any = false;
      for (auto& f : table.findings) {
        if (f.motif.kind != kind) continue;
        any = true;
        text.add(cells_of(f, table));
      }
      if (any) fmt::print("\n{}", text.text());
    }
    if (table.findings.empty()) fmt::print("\nNone stands in {} of them or more.\n", options.least);
  }

  std::vector<std::string> cells_of(const MotifFinding& f, const MotifTable& table) const {
    std::vector<std::string> cells = {fmt::format("{}/{}", f.count, table.kept.size())};
    for (auto& [name, test] : f.among) {
      cells.push_back(fmt::format("{}/{}", test.others, table.others.at(name).size()));
      cells.push_back(probability(test.adjusted));
    }
    for (auto& objective : settings().objectives) {
      auto effect = f.effects.find(objective.name());
      if (effect == f.effects.end()) {
        cells.insert(cells.end(), {"-", "-"});
        continue;
      }
      const Effect& e = effect->second;
      cells.push_back((e.mean_with > e.mean_without ? "+" : "") +
                      metric_text(objective.name(), e.mean_with - e.mean_without));
      cells.push_back(probability(e.adjusted));
    }
    cells.push_back(f.motif.text);
    return cells;
  }
};

}  // namespace

void declare_motifs(CLI::App& app) {
  auto c = std::make_shared<Motifs>();
  CLI::App* sub = app.add_subcommand(
      "motifs", "What the genomes that a search has kept have in common beyond chance");
  c->declare(*sub);
  sub->add_option("--from", c->options.from,
                  "Whose motifs: of the front, or of the last population")
      ->check(CLI::IsMember({"front", "population"}))
      ->capture_default_str();
  add_whole(*sub, "--random", c->options.random, 1, 1 << 20, "Random genomes to compare with")
      ->capture_default_str();
  add_whole(*sub, "--least", c->options.least, 1, 1 << 20, "Motifs of at least so many genomes")
      ->capture_default_str();
  sub->callback([c] { c->execute(); });
}

}  // namespace star::cli
