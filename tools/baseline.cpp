// star baseline: known architectures under the search's own recipe, beside its front.
#include <cmath>

#include "star/candidate.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star {
namespace {

// What a front member saves against a baseline that it dominates.
struct Gain {
  std::string genome;
  std::map<std::string, double> share;  // of the baseline's value; none where that is 0
};

struct Baseline : RunCommand {
  std::vector<std::string> names = genome_names();

  void execute() {
    open();
    std::vector<Subject> members = front(), baselines;
    std::vector<Trial> trials;
    for (auto& name : names) {
      baselines.push_back(named(name));
      trials.push_back(trial_for(baselines.back()));
    }
    std::vector<Evaluation> trained = train(trials);
    measure_all(baselines, trained);
    common.json ? print_documents(members, baselines, trained)
                : print_text(members, baselines, trained);
    bool some = std::any_of(trained.begin(), trained.end(), [](auto& e) { return e.ok(); });
    if (!some) throw Failure("every baseline failed; " + trained[0].failure);
  }

 private:
  // What the search measures, the baselines are measured in too; the run file then holds both under
  // one recipe.
  void measure_all(const std::vector<Subject>& baselines, std::vector<Evaluation>& trained) {
    const std::vector<std::string> objectives = measured_names(settings());
    auto lacking = [&](const Evaluation& e) {
      return e.ok() && std::any_of(objectives.begin(), objectives.end(),
                                   [&](auto& name) { return !e.metrics.count(name); });
    };
    std::vector<Subject> subjects;
    std::vector<Evaluation*> targets;
    for (size_t i = 0; i < trained.size(); ++i) {
      if (!lacking(trained[i])) continue;
      subjects.push_back(baselines[i]);
      targets.push_back(&trained[i]);
    }
    std::vector<Evaluation> measured = measure(subjects, objectives, settings().cache_context);
    for (size_t i = 0; i < targets.size(); ++i) {
      targets[i]->metrics.merge(measured[i].metrics);
      targets[i]->failure = measured[i].failure;
      run->file.record(*targets[i]);
    }
  }

  // The objectives of the search, and the figures that are known anyway.
  std::vector<std::string> columns() const {
    std::vector<std::string> all = settings().objectives;
    for (const char* name : {"quality", "params", "cache"})
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    return all;
  }

  std::vector<Gain> dominating(const std::vector<Subject>& members, const Evaluation& e) const {
    std::vector<Gain> gains;
    if (!e.ok()) return gains;
    const Fitness fitness = fitness_of(e.metrics, settings().objectives, {});
    for (auto& member : members) {
      const Metrics& metrics = member.searched->metrics;
      if (!dominates(fitness_of(metrics, settings().objectives, {}), fitness)) continue;
      Gain gain{member.genome, {}};
      for (auto& name : columns()) {
        double before = metric_of(e, name);
        if (before != 0) gain.share[name] = 1 - metric_of(*member.searched, name) / before;
      }
      gains.push_back(std::move(gain));
    }
    return gains;
  }

  nlohmann::json row(const std::string& kind, const Subject& subject, const Evaluation& e) const {
    nlohmann::json row = {{"kind", kind}, {"genome", subject.genome}, {"metrics", e.metrics}};
    if (!subject.name.empty()) row["name"] = subject.name;
    if (!e.ok()) row["failure"] = e.failure;
    row["objectives"] = nlohmann::json::object();
    for (auto& name : settings().objectives)
      if (e.ok()) row["objectives"][name] = metric_of(e, name);
    return row;
  }

  void print_documents(const std::vector<Subject>& members, const std::vector<Subject>& baselines,
                       const std::vector<Evaluation>& trained) const {
    nlohmann::json rows = nlohmann::json::array();
    for (size_t i = 0; i < baselines.size(); ++i) {
      rows.push_back(row("baseline", baselines[i], trained[i]));
      rows.back()["dominated_by"] = nlohmann::json::array();
      for (auto& gain : dominating(members, trained[i])) {
        nlohmann::json percents;
        for (auto& [name, share] : gain.share) percents[name] = 100 * share;
        rows.back()["dominated_by"].push_back(
            {{"genome", gain.genome}, {"less_percent", percents}});
      }
    }
    for (auto& member : members) rows.push_back(row("front", member, *member.searched));
    print_json({{"run", path}, {"rows", rows}});
  }

  void print_text(const std::vector<Subject>& members, const std::vector<Subject>& baselines,
                  const std::vector<Evaluation>& trained) const {
    std::vector<std::string> head = columns();
    head.push_back("genome");
    Table table(head);
    auto add = [&](const Subject& subject, const Evaluation& e) {
      std::vector<std::string> cells;
      for (auto& name : columns())
        cells.push_back(e.ok() ? metric_text(name, metric_of(e, name)) : "-");
      cells.push_back(e.ok() ? subject.label() : subject.label() + ": " + e.failure);
      table.add(cells);
    };
    for (size_t i = 0; i < baselines.size(); ++i) add(baselines[i], trained[i]);
    for (auto& member : members) add(member, *member.searched);
    std::vector<const Metrics*> judged;
    for (auto& e : trained) judged.push_back(&e.metrics);
    for (auto& member : members) judged.push_back(&member.searched->metrics);
    fmt::print("{}\n{}", table.text(), judged_text(judged));
    for (size_t i = 0; i < baselines.size(); ++i)
      if (trained[i].ok()) print_gains(baselines[i], dominating(members, trained[i]));
  }

  void print_gains(const Subject& baseline, const std::vector<Gain>& gains) const {
    fmt::print("\n{}: {}\n", baseline.name,
               gains.empty() ? "none of the front dominates it"
                             : fmt::format("dominated by {} of the front", gains.size()));
    for (auto& gain : gains) {
      std::vector<std::string> parts;
      for (auto& name : columns())
        if (gain.share.count(name))
          parts.push_back(fmt::format("{} {}", name, percent(-gain.share.at(name))));
      fmt::print("  {}  {}\n", fmt::join(parts, "  "), gain.genome);
    }
  }
};

}  // namespace

void declare_baseline(CLI::App& app) {
  auto c = std::make_shared<Baseline>();
  CLI::App* sub = app.add_subcommand(
      "baseline", "Trains known architectures as a search trained its candidates, and compares");
  c->declare(*sub);
  c->declare_trainings(*sub);
  sub->add_option("names", c->names,
                  "Names, at the search's depth unless they say another, or genomes")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->capture_default_str();
  sub->callback([c] { c->execute(); });
}

}  // namespace star
