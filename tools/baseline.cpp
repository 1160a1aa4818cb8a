// star baseline: known architectures under the search's own recipe, beside its front.
#include "star/after/baseline.h"

#include "tools/run_command.h"
#include "tools/table.h"

namespace star::cli {
namespace {

struct Baseline : RunCommand {
  std::vector<std::string> names = genome_names();
  std::vector<double> rates;

  void execute() {
    open();
    const bool as_searched = rates.empty() && common.seed == settings().seed;
    if (!as_searched) run->data->check(Split::test);
    const std::vector<BaselineRow> rows = compare_baselines(study(), names, rates);
    // What the report draws is then in one place.
    for (auto& row : rows)
      if (row.measured) run->file.record(row.evaluation());
    common.json ? print_documents(rows) : print_text(rows);
    bool some = std::any_of(rows.begin(), rows.end(),
                            [](auto& row) { return row.baseline && row.tuned.ok(); });
    if (!some) throw Failure("every baseline failed; " + rows[0].evaluation().failure);
  }

 private:
  nlohmann::json row_json(const BaselineRow& row) {
    const Evaluation& e = row.evaluation();
    const Subject& subject = row.tuned.subject;
    nlohmann::json j = {{"kind", row.baseline ? "baseline" : "front"},
                        {"genome", subject.genome},
                        {"metrics", e.metrics}};
    j.update(rates_json(study(), row.tuned, {"quality", "train_loss"}));
    if (!subject.name.empty()) j["name"] = subject.name;
    if (!e.ok()) j["failure"] = e.failure;
    j["objectives"] = nlohmann::json::object();
    for (auto& objective : settings().objectives)
      if (e.ok()) j["objectives"][objective.name()] = metric_of(e, objective.name());
    if (!row.baseline) return j;
    j["dominated_by"] = nlohmann::json::array();
    for (auto& gain : row.dominated_by) {
      nlohmann::json percents;
      for (auto& [name, share] : gain.share) percents[name] = 100 * share;
      j["dominated_by"].push_back({{"genome", gain.genome}, {"less_percent", percents}});
    }
    return j;
  }

  void print_documents(const std::vector<BaselineRow>& rows) {
    nlohmann::json documents = nlohmann::json::array();
    for (auto& row : rows) documents.push_back(row_json(row));
    print_json({{"run", path}, {"rows", documents}});
  }

  void print_text(const std::vector<BaselineRow>& rows) {
    const std::vector<std::string> columns = baseline_columns(settings());
    std::vector<std::string> head = columns;
    head.insert(head.end(), {"rate", "genome"});
    Table table(head);
    std::vector<const Metrics*> judged;
    std::vector<const Tuned*> tuned;
    for (auto& row : rows) {
      const Evaluation& e = row.evaluation();
      const std::string& label = row.tuned.subject.label();
      std::vector<std::string> cells;
      for (auto& name : columns)
        cells.push_back(e.ok() ? metric_text(name, metric_of(e, name)) : "-");
      cells.push_back(fmt::format("{}", row.tuned.chosen().rate));
      cells.push_back(e.ok() ? label : label + ": " + e.failure);
      table.add(cells);
      judged.push_back(&e.metrics);
      tuned.push_back(&row.tuned);
    }
    fmt::print("{}\n{}{}", table.text(), judged_text(judged), rates_text(tuned));
    for (auto& row : rows)
      if (row.baseline && row.tuned.ok()) print_gains(row, columns);
  }

  static void print_gains(const BaselineRow& row, const std::vector<std::string>& columns) {
    const std::vector<Gain>& gains = row.dominated_by;
    fmt::print("\n{}: {}\n", row.tuned.subject.name,
               gains.empty() ? "none of the front dominates it"
                             : fmt::format("dominated by {} of the front", gains.size()));
    for (auto& gain : gains) {
      std::vector<std::string> parts;
      for (auto& name : columns)
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
  add_rates(*sub, c->rates, "all, the front too");
  sub->callback([c] { c->execute(); });
}

}  // namespace star::cli
