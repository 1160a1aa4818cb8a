// star motifs: what the genomes that a search has kept have in common.
#include "star/motifs.h"

#include "star/search.h"
#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star {
namespace {

struct Motifs : RunCommand {
  std::string from = "front";
  int random = 1000, least = 2;

  void execute() {
    open();
    const Pool pool = named_pool(settings().pool);
    auto sets_of = [&](const std::vector<std::string>& genomes) {
      MotifSets sets;
      for (auto& text : genomes) sets.push_back(motifs_of(parse(text, pool), pool));
      return sets;
    };
    std::vector<std::string> group, initial;
    for (auto& subject : subjects_of(study(), from)) group.push_back(subject.genome);
    for (auto& candidate : run->contents.candidates)
      if (candidate.generation == 0) initial.push_back(candidate.genome);
    MotifSets drawn;
    SearchSettings draws = settings();
    draws.seed = common.seed;
    for (auto& genome : random_genomes(draws, random)) drawn.push_back(motifs_of(genome, pool));

    const MotifSets kept = sets_of(group);
    const std::map<std::string, MotifSets> others = {{"initial", sets_of(initial)},
                                                     {"random", std::move(drawn)}};
    std::vector<std::string> evaluated;
    Judged judged;
    for (auto& e : run->contents.evaluations) {
      if (e.recipe != "search" || !e.ok()) continue;
      evaluated.push_back(e.genome);
      for (auto& name : settings().objectives)
        judged.objectives[name].push_back(metric_of(e, name));
    }
    judged.motifs = sets_of(evaluated);
    const auto findings = find_motifs(kept, others, judged, least);
    common.json ? print_documents(findings, kept, others, judged)
                : print_text(findings, kept, others, judged);
  }

 private:
  void print_documents(const std::vector<MotifFinding>& findings, const MotifSets& group,
                       const std::map<std::string, MotifSets>& others, const Judged& judged) const {
    nlohmann::json motifs = nlohmann::json::array();
    for (auto& f : findings) {
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
                {"from", from},
                {"genomes", group.size()},
                {"initial", others.at("initial").size()},
                {"random", others.at("random").size()},
                {"evaluated", judged.motifs.size()},
                {"motifs", motifs}});
  }

  void print_text(const std::vector<MotifFinding>& findings, const MotifSets& group,
                  const std::map<std::string, MotifSets>& others, const Judged& judged) const {
    fmt::print(
        "Motifs of {} genomes of the {}, against {} of the initial population and {} random "
        "ones;\neffects among {} evaluated genomes: the mean with it less the mean without "
        "it.\nq: p of Fisher's exact and of the rank-sum test, adjusted for the number of "
        "motifs of the kind.\n",
        group.size(), from, others.at("initial").size(), others.at("random").size(),
        judged.motifs.size());
    for (auto& kind : motif_kinds()) {
      std::vector<std::string> head = {from, "initial", "q", "random", "q"};
      for (auto& name : settings().objectives) head.insert(head.end(), {name, "q"});
      head.push_back(kind);
      Table table(head);
      bool any = false;
      for (auto& f : findings) {
        if (f.motif.kind != kind) continue;
        any = true;
        table.add(cells_of(f, group, others));
      }
      if (any) fmt::print("\n{}", table.text());
    }
    if (findings.empty()) fmt::print("\nNone stands in {} of them or more.\n", least);
  }

  std::vector<std::string> cells_of(const MotifFinding& f, const MotifSets& group,
                                    const std::map<std::string, MotifSets>& others) const {
    std::vector<std::string> cells = {fmt::format("{}/{}", f.count, group.size())};
    for (auto& [name, test] : f.among) {
      cells.push_back(fmt::format("{}/{}", test.others, others.at(name).size()));
      cells.push_back(probability(test.adjusted));
    }
    for (auto& name : settings().objectives) {
      auto effect = f.effects.find(name);
      if (effect == f.effects.end()) {
        cells.insert(cells.end(), {"-", "-"});
        continue;
      }
      const Effect& e = effect->second;
      cells.push_back((e.mean_with > e.mean_without ? "+" : "") +
                      metric_text(name, e.mean_with - e.mean_without));
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
  sub->add_option("--from", c->from, "Whose motifs: of the front, or of the last population")
      ->check(CLI::IsMember({"front", "population"}))
      ->capture_default_str();
  add_whole(*sub, "--random", c->random, 1, 1 << 20, "Random genomes to compare with")
      ->capture_default_str();
  add_whole(*sub, "--least", c->least, 1, 1 << 20, "Motifs of at least so many genomes")
      ->capture_default_str();
  sub->callback([c] { c->execute(); });
}

}  // namespace star
