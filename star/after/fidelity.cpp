#include "star/after/fidelity.h"

#include <algorithm>

#include "core/rng.h"
#include "star/tasks.h"

namespace star::synthesis {
namespace {

void settle(const Study& study, FidelityOptions& o) {
  if (o.steps == 0) o.steps = 4 * study.settings.training.steps;
  if (o.context == 0) o.context = study.settings.cache_context;
}

double searched(const Study& study, const Subject& subject, const std::string& metric) {
  return metric_of(study, *subject.searched, metric);
}

// Of all that the search has evaluated, the front or not: within a front, where differences are
// small, noise would decide more pairs.
std::vector<Subject> sample_of(const Study& study, int count) {
  std::vector<Subject> all = subjects_of(study, "all");
  // The draw depends on no order but that of the text.
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.genome < b.genome; });
  Rng rng(study.seed, "fidelity");
  rng.shuffle(all);
  all.resize(std::min(all.size(), size_t(count)));
  std::stable_sort(all.begin(), all.end(), [&](auto& a, auto& b) {
    return searched(study, a, "quality") < searched(study, b, "quality");
  });
  return all;
}

void train_longer(const Study& study, const FidelityOptions& o, std::vector<FidelityRow>& rows) {
  std::vector<Trial> trials;
  for (auto& row : rows) {
    trials.push_back(trial_for(study, row.subject));
    trials.back().training.steps = o.steps;
    apart(trials.back());
  }
  std::vector<Evaluation> trained = study.train(trials);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].longer = std::move(trained[i]);
}

void train_downstream(const Study& study, const FidelityOptions& o, const TaskData& task,
                      std::vector<FidelityRow>& rows) {
  std::vector<Trial> trials;
  for (auto& row : rows) {
    trials.push_back(trial_for(study, row.subject));
    Trial& trial = trials.back();
    trial.training.steps = o.steps;
    trial.sizes.vocab = task.vocab();
    trial.sizes.seq = task.length();
    trial.sizes.decoder = task.needs_decoder();
    apart(trial);
    trial.recipe = trial.recipe.with("task", o.downstream);
  }
  std::vector<Evaluation> trained = study.train_on(trials, task);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].task = std::move(trained[i]);
}

void measure(const Study& study, const FidelityOptions& o, std::vector<FidelityRow>& rows) {
  std::vector<Subject> subjects;
  for (auto& row : rows) subjects.push_back(row.subject);
  std::vector<Evaluation> measured = study.measure(subjects, Objective::all_measured(), o.context);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].measured = std::move(measured[i]);
}

std::vector<Agreement> compare(const Study& study, const FidelityOptions& o,
                               const std::vector<FidelityRow>& rows) {
  std::vector<Agreement> agreements;
  auto add = [&](const std::string& signal, const std::string& metric, const std::string& target,
                 const auto& target_of) {
    std::vector<double> cheap, dear;
    for (auto& row : rows) {
      if (!row.ok()) continue;
      cheap.push_back(searched(study, row.subject, metric));
      dear.push_back(target_of(row));
    }
    agreements.push_back({signal, target, kendall_tau(cheap, dear), int64_t(cheap.size())});
  };
  const std::string loss = fmt::format("loss after {} steps", study.settings.training.steps);
  add(loss, "quality", fmt::format("loss after {}", o.steps),
      [&](auto& row) { return metric_of(study, row.longer, "quality"); });
  add(loss, "quality", fmt::format("test loss after {}", o.steps),
      [&](auto& row) { return metric_of(study, row.longer, "test_quality"); });
  // Of accuracies the share that is wrong, so that 1 is agreement everywhere.
  add(loss, "quality", fmt::format("test error after {}", o.steps),
      [&](auto& row) { return 1 - metric_of(study, row.longer, "test_accuracy"); });
  if (!o.downstream.empty())
    add(loss, "quality", fmt::format("error in {} after {}", o.downstream, o.steps),
        [&](auto& row) { return 1 - metric_of(study, row.task, "test_accuracy"); });
  for (const char* signal : {"cache", "params"})
    for (auto& measured : Objective::all_measured())
      add(signal, signal, fmt::format("{} at {} tokens", measured, o.context),
          [&](auto& row) { return metric_of(study, row.measured, measured.name()); });
  return agreements;
}

}  // namespace

std::string FidelityRow::failure() const {
  for (auto* e : {&longer, &task, &measured})
    if (!e->ok()) return e->failure;
  return "";
}

FidelityTable fidelity_table(const Study& study, FidelityOptions options) {
  settle(study, options);
  std::optional<TaskData> task;
  if (!options.downstream.empty())
    task.emplace(parse_task(options.downstream), study.settings.seed);
  FidelityTable table{options, {}, {}};
  for (auto& subject : sample_of(study, options.sample)) table.rows.push_back({subject});
  train_longer(study, options, table.rows);
  if (task) train_downstream(study, options, *task, table.rows);
  measure(study, options, table.rows);
  table.agreements = compare(study, options, table.rows);
  return table;
}

}  // namespace star::synthesis
