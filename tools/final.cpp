// star final: the best of a front and known architectures, trained longer from several seeds, and
// compared on the test part, which the search has not seen.
#include <cmath>
#include <set>

#include "star/statistics.h"
#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star {
namespace {

struct Final : RunCommand {
  std::vector<std::string> names = {"@transformer", "@hybrid", "@mamba"};
  int top = 4, seeds = 3;
  int64_t steps = 0;
  std::string by;

  struct Row {
    Subject subject;
    std::vector<Evaluation> trained;       // that did not fail
    std::string failure;                   // of one that did
    std::map<std::string, Spread> spread;  // over the seeds
    double mean(const std::string& name) const { return spread.at(name).mean; }
  };

  void execute() {
    open();
    if (steps == 0) steps = 4 * settings().training.steps;
    std::vector<Subject> subjects = best_of_front();
    const size_t found = subjects.size();
    for (auto& name : names) subjects.push_back(named(name));
    std::vector<Row> rows = train_all(subjects);
    // What the others are compared with: the first baseline that was trained.
    const Row* reference = nullptr;
    for (size_t i = found; i < rows.size() && !reference; ++i)
      if (!rows[i].trained.empty()) reference = &rows[i];
    std::vector<const Row*> order;
    for (auto& row : rows) order.push_back(&row);
    std::stable_sort(order.begin(), order.end(), [](const Row* a, const Row* b) {
      if (a->trained.empty() || b->trained.empty()) return !a->trained.empty();
      return a->mean("test_quality") < b->mean("test_quality");
    });
    common.json ? print_documents(order, reference) : print_text(order, reference);
    if (order[0]->trained.empty()) throw Failure("every training failed; " + order[0]->failure);
  }

 private:
  std::vector<Subject> best_of_front() const {
    std::vector<Subject> members = front();
    if (!by.empty()) {
      std::vector<std::string> known;
      for (auto& [name, value] : members[0].searched->metrics) {
        auto has = [&](auto& m) { return m.searched->metrics.count(name) > 0; };
        if (std::all_of(members.begin(), members.end(), has)) known.push_back(name);
      }
      require(std::find(known.begin(), known.end(), by) != known.end(), "--by: {} is not one of {}",
              by, fmt::join(known, ", "));
      std::stable_sort(members.begin(), members.end(), [&](auto& a, auto& b) {
        return metric_of(*a.searched, by) < metric_of(*b.searched, by);
      });
    }
    members.resize(std::min(members.size(), size_t(top)));
    return members;
  }

  std::vector<Row> train_all(const std::vector<Subject>& subjects) {
    run->data->check(Split::test);
    std::vector<Trial> trials;
    for (auto& subject : subjects)
      for (int i = 0; i < seeds; ++i) {
        Trial trial = trial_for(subject);
        trial.seed = trial.training.seed = common.seed + uint64_t(i);
        trial.training.steps = steps;
        trials.push_back(apart(trial));
      }
    std::vector<Evaluation> trained = train(trials);
    std::vector<Row> rows;
    for (size_t i = 0; i < trained.size(); ++i) {
      if (i % size_t(seeds) == 0) rows.push_back({subjects[i / size_t(seeds)], {}, "", {}});
      if (trained[i].ok())
        rows.back().trained.push_back(std::move(trained[i]));
      else
        rows.back().failure = trained[i].failure;
    }
    for (auto& row : rows) summarise(row);
    return rows;
  }

  // What may be missing is what runs of older versions, or of other data, have not.
  void summarise(Row& row) const {
    static const std::set<std::string> kNeeded = {
        "test_quality", "test_standard_error", "test_targets", "test_perplexity", "test_accuracy"};
    for (const char* name :
         {"test_quality", "test_standard_error", "test_targets", "test_bpb", "test_perplexity",
          "test_accuracy", "test_macro_accuracy", "quality", "standard_error", "targets",
          "train_loss", "train_standard_error", "train_targets"}) {
      if (!row.trained.empty() && !row.trained[0].metrics.count(name) && !kNeeded.count(name))
        continue;
      std::vector<double> values;
      for (auto& e : row.trained) values.push_back(metric_of(e, name));
      row.spread[name] = spread_of(values);
    }
  }

  // By how much a row's value differs from the reference's, as a share of that.
  static double relative(double value, double reference) {
    return reference == 0 ? std::nan("") : value / reference - 1;
  }

  void print_documents(const std::vector<const Row*>& order, const Row* reference) const {
    nlohmann::json rows = nlohmann::json::array();
    for (const Row* row : order) {
      nlohmann::json j = {{"kind", row->subject.name.empty() ? "front" : "baseline"},
                          {"genome", row->subject.genome},
                          {"seeds", row->trained.size()},
                          {"failed", seeds - int(row->trained.size())}};
      if (!row->subject.name.empty()) j["name"] = row->subject.name;
      if (!row->failure.empty()) j["failure"] = row->failure;
      if (!row->trained.empty()) {
        for (const char* name : {"params", "body_params", "cache", "flops"})
          j[name] = metric_of(row->trained[0], name);
        for (auto& [name, spread] : row->spread)
          j[name] = {{"mean", spread.mean}, {"deviation", spread.deviation}};
        if (reference)
          j["against_reference_percent"] = {
              {"test_quality",
               100 * relative(row->mean("test_quality"), reference->mean("test_quality"))},
              {"params", 100 * relative_of(*row, *reference, "params")},
              {"cache", 100 * relative_of(*row, *reference, "cache")}};
      }
      rows.push_back(std::move(j));
    }
    nlohmann::json document = {{"run", path}, {"steps", steps}, {"rows", rows}};
    if (reference) document["reference"] = reference->subject.label();
    print_json(document);
  }

  static std::string in_bits(const Spread& nats) {
    return plus_minus(nats_to_bits(nats.mean), nats_to_bits(nats.deviation), 4);
  }

  double relative_of(const Row& row, const Row& reference, const char* name) const {
    return relative(metric_of(row.trained[0], name), metric_of(reference.trained[0], name));
  }

  void print_text(const std::vector<const Row*>& order, const Row* reference) const {
    fmt::print("{} steps (the search had {}), mean ± standard deviation over {} seed{}; test part",
               steps, settings().training.steps, seeds, seeds == 1 ? "" : "s");
    if (const Row* any = order[0]; !any->trained.empty())
      fmt::print(", {:.0f} targets, standard error of a loss {:.4f}", any->mean("test_targets"),
                 any->mean("test_standard_error"));
    if (reference) fmt::print("; in brackets against {}", reference->subject.label());
    fmt::print("\n\n");
    const bool bytes = run->data->tokens_are_bytes();
    Table table({"params", "", "cache", "", "test loss", "", bytes ? "bpb" : "bits a token",
                 "perplexity", "accuracy", "genome"});
    for (const Row* row : order) {
      std::string label = row->subject.label();
      if (!row->failure.empty()) label += ": " + row->failure;
      if (row->trained.empty()) {
        table.add({"-", "", "-", "", "-", "", "-", "-", "-", label});
        continue;
      }
      auto count = [&](const char* name) { return fixed(metric_of(row->trained[0], name), 0); };
      auto compared = [&](double share) {
        return reference && reference != row && !std::isnan(share)
                   ? fmt::format("({})", percent(share))
                   : std::string();
      };
      auto spread = [&](const char* name, int digits) {
        return plus_minus(row->mean(name), row->spread.at(name).deviation, digits);
      };
      const Row& other = reference ? *reference : *row;
      table.add({count("params"), compared(relative_of(*row, other, "params")), count("cache"),
                 compared(relative_of(*row, other, "cache")), spread("test_quality", 4),
                 compared(relative(row->mean("test_quality"), other.mean("test_quality"))),
                 in_bits(row->spread.at("test_quality")), spread("test_perplexity", 3),
                 spread("test_accuracy", 4), label});
    }
    fmt::print("{}", table.text());
  }
};

}  // namespace

void declare_final(CLI::App& app) {
  auto c = std::make_shared<Final>();
  CLI::App* sub = app.add_subcommand(
      "final",
      "Trains the best of a front longer, from several seeds, and judges on the test part");
  c->declare(*sub);
  c->declare_trainings(*sub);
  sub->add_option("names", c->names,
                  "Baselines: names, at the search's depth unless they say another, or genomes")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->capture_default_str();
  add_whole(*sub, "--top", c->top, 1, 1 << 16, "So many of the front, best first")
      ->capture_default_str();
  sub->add_option("--by", c->by,
                  "The metric in which the least are best (default: the search's first objective)");
  add_whole(*sub, "--steps", c->steps, 1, int64_t(1) << 40,
            "Training steps (default: four times the search's)");
  add_whole(*sub, "--seeds", c->seeds, 1, 1 << 16, "Trainings of each, from --seed on")
      ->capture_default_str();
  sub->callback([c] { c->execute(); });
}

}  // namespace star
