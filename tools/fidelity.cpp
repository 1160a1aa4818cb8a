// star fidelity: how well the cheap signals of a search predict what it would be dear to know.
#include "core/rng.h"
#include "star/candidate.h"
#include "star/tasks.h"
#include "tools/options.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star {
namespace {

const std::vector<std::string> kMeasured = {"memory", "latency:prefill", "latency:decode"};

struct Fidelity : RunCommand {
  int count = 12;
  int64_t steps = 0, context = 0;
  std::string downstream;

  struct Row {
    Subject subject;
    Evaluation longer, measured, task;
    bool ok() const { return longer.ok() && measured.ok() && task.ok(); }
  };

  void execute() {
    open();
    run->data->check(Split::test);
    if (steps == 0) steps = 4 * settings().training.steps;
    if (context == 0) context = settings().cache_context;
    std::unique_ptr<TaskData> task;
    if (!downstream.empty())
      task = std::make_unique<TaskData>(parse_task(downstream), settings().seed);
    std::vector<Row> rows;
    for (auto& subject : sample()) rows.push_back({subject, {}, {}, {}});
    train_longer(rows);
    if (task) train_on(*task, rows);
    measure_all(rows);
    const std::vector<Agreement> agreements = compare(rows);
    common.json ? print_documents(rows, agreements) : print_text(rows, agreements);
    if (std::none_of(rows.begin(), rows.end(), [](auto& row) { return row.ok(); }))
      throw Failure("every genome failed; " + failure_of(rows[0]));
  }

 private:
  // So many of all that the search has evaluated, the front or not: best first.
  std::vector<Subject> sample() {
    std::vector<Subject> all = subjects_of(study(), "all");
    // The draw depends on no order but that of the text.
    std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.genome < b.genome; });
    Rng rng(common.seed, "fidelity");
    rng.shuffle(all);
    all.resize(std::min(all.size(), size_t(count)));
    std::stable_sort(all.begin(), all.end(), [&](auto& a, auto& b) {
      return metric_of(*a.searched, "quality") < metric_of(*b.searched, "quality");
    });
    return all;
  }

  void train_longer(std::vector<Row>& rows) {
    std::vector<Trial> trials;
    for (auto& row : rows) {
      trials.push_back(trial_for(study(), row.subject));
      trials.back().training.steps = steps;
      apart(trials.back());
    }
    std::vector<Evaluation> trained = train(trials);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].longer = std::move(trained[i]);
  }

  void train_on(const TaskData& task, std::vector<Row>& rows) {
    std::vector<Trial> trials;
    for (auto& row : rows) {
      trials.push_back(trial_for(study(), row.subject));
      Trial& trial = trials.back();
      trial.training.steps = steps;
      trial.sizes.vocab = task.vocab();
      trial.sizes.seq = task.length();
      apart(trial);
      trial.recipe += ",task=" + downstream;
    }
    std::vector<Evaluation> trained = train(trials, task);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].task = std::move(trained[i]);
  }

  void measure_all(std::vector<Row>& rows) {
    std::vector<Subject> subjects;
    for (auto& row : rows) subjects.push_back(row.subject);
    std::vector<Evaluation> measured = measure(subjects, kMeasured, context);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].measured = std::move(measured[i]);
  }

  std::vector<Agreement> compare(const std::vector<Row>& rows) {
    std::vector<Agreement> agreements;
    auto add = [&](const std::string& signal, const char* metric, const std::string& target,
                   const auto& target_of) {
      std::vector<double> cheap, dear;
      for (auto& row : rows) {
        if (!row.ok()) continue;
        cheap.push_back(metric_of(*row.subject.searched, metric));
        dear.push_back(target_of(row));
      }
      agreements.push_back({signal, target, kendall_tau(cheap, dear), int64_t(cheap.size())});
    };
    const std::string loss = fmt::format("loss after {} steps", settings().training.steps);
    add(loss, "quality", fmt::format("loss after {}", steps),
        [&](const Row& r) { return metric_of(r.longer, "quality"); });
    add(loss, "quality", fmt::format("test loss after {}", steps),
        [&](const Row& r) { return metric_of(r.longer, "test_quality"); });
    // Of accuracies the share that is wrong, so that 1 is agreement everywhere.
    add(loss, "quality", fmt::format("test error after {}", steps),
        [&](const Row& r) { return 1 - metric_of(r.longer, "test_accuracy"); });
    if (!downstream.empty())
      add(loss, "quality", fmt::format("error in {} after {}", downstream, steps),
          [&](const Row& r) { return 1 - metric_of(r.task, "test_accuracy"); });
    for (const char* signal : {"cache", "params"})
      for (auto& name : kMeasured)
        add(signal, signal, fmt::format("{} at {} tokens", name, context),
            [&](const Row& r) { return metric_of(r.measured, name); });
    return agreements;
  }

  static std::string failure_of(const Row& row) {
    for (auto* e : {&row.longer, &row.task, &row.measured})
      if (!e->ok()) return e->failure;
    return "";
  }

  void print_documents(const std::vector<Row>& rows,
                       const std::vector<Agreement>& agreements) const {
    nlohmann::json document = {{"run", path}, {"steps", steps}, {"context", context}};
    for (auto& agreement : agreements) document["rows"].push_back(agreement_json(agreement));
    for (auto& row : rows) {
      nlohmann::json j = {{"genome", row.subject.genome},
                          {"search", row.subject.searched->metrics},
                          {"longer", row.longer.metrics},
                          {"measured", row.measured.metrics}};
      if (!downstream.empty()) j["task"] = row.task.metrics;
      if (!row.ok()) j["failure"] = failure_of(row);
      document["genomes"].push_back(std::move(j));
    }
    print_json(document);
  }

  void print_text(const std::vector<Row>& rows, const std::vector<Agreement>& agreements) const {
    fmt::print("{} genomes of those that the search has evaluated\n\n{}", rows.size(),
               agreements_text(agreements));
    for (auto& row : rows)
      if (!row.ok()) fmt::print("\nleft out: {}: {}\n", row.subject.genome, failure_of(row));
  }
};

}  // namespace

void declare_fidelity(CLI::App& app) {
  auto c = std::make_shared<Fidelity>();
  CLI::App* sub = app.add_subcommand(
      "fidelity", "How well the cheap signals of a search predict the dear ones");
  c->declare(*sub);
  c->declare_trainings(*sub);
  constexpr int64_t kMost = int64_t(1) << 40;
  add_whole(*sub, "--sample", c->count, 2, 1 << 20,
            "Genomes, drawn from all that the search has evaluated")
      ->capture_default_str();
  add_whole(*sub, "--steps", c->steps, 1, kMost,
            "Of the long training (default: four times the search's)");
  sub->add_option("--downstream", c->downstream,
                  "A task to train on too, for its accuracy: as in mqar:D=8,L=128");
  add_whole(*sub, "--context", c->context, 1, kMost,
            "Tokens at which memory and latencies are measured (default: the search's)");
  sub->callback([c] { c->execute(); });
}

}  // namespace star
