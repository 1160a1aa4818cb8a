#include "star/after/baseline.h"

#include <algorithm>

#include "star/candidate.h"

namespace star::synthesis {
namespace {

// What the search measures, all are measured in too. It does not depend on what was learnt.
void complete(const Study& study, std::vector<BaselineRow>& rows) {
  const std::vector<Objective> objectives = measured_objectives(study.settings);
  std::vector<Subject> subjects;
  std::vector<BaselineRow*> lacking;
  for (auto& row : rows) {
    Evaluation& e = row.tuned.rates[row.tuned.best].by_seed[0];
    auto missing = [&](auto& objective) { return !e.metrics.count(objective.name()); };
    if (!e.ok() || std::none_of(objectives.begin(), objectives.end(), missing)) continue;
    if (row.tuned.subject.searched) {
      for (auto& [name, value] : row.tuned.subject.searched->metrics)
        if (auto whose = Objective::of_metric(name); whose && whose->measured())
          e.metrics[name] = value;
      continue;
    }
    subjects.push_back(row.tuned.subject);
    lacking.push_back(&row);
  }
  if (lacking.empty()) return;
  std::vector<Evaluation> measured =
      study.measure(subjects, objectives, study.settings.cache_context);
  for (size_t i = 0; i < lacking.size(); ++i) {
    Tuned& tuned = lacking[i]->tuned;
    Evaluation& e = tuned.rates[tuned.best].by_seed[0];
    e.metrics.merge(measured[i].metrics);
    e.failure = measured[i].failure;
    lacking[i]->measured = true;
  }
}

std::vector<Gain> dominating(const Study& study, const std::vector<BaselineRow>& rows,
                             const Evaluation& e) {
  std::vector<Gain> gains;
  if (!e.ok()) return gains;
  const SearchSettings& s = study.settings;
  const Fitness fitness = fitness_of(e.metrics, s.objectives, {});
  for (auto& row : rows) {
    const Evaluation& member = row.evaluation();
    if (row.baseline || !member.ok()) continue;
    if (!dominates(fitness_of(member.metrics, s.objectives, {}), fitness)) continue;
    Gain gain{member.genome, {}};
    for (auto& name : baseline_columns(s)) {
      const double before = metric_of(study, e, name);
      if (before != 0) gain.share[name] = 1 - metric_of(study, member, name) / before;
    }
    gains.push_back(std::move(gain));
  }
  return gains;
}

}  // namespace

std::vector<std::string> baseline_columns(const SearchSettings& settings) {
  std::vector<std::string> all = names_of(settings.objectives);
  for (const char* name : {"quality", "params", "cache"})
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  return all;
}

std::vector<BaselineRow> compare_baselines(const Study& study,
                                           const std::vector<std::string>& names,
                                           const std::vector<double>& rates) {
  std::vector<Subject> subjects;
  for (auto& name : names) subjects.push_back(named_subject(study, name));
  for (auto& member : subjects_of(study, "front")) subjects.push_back(std::move(member));
  const double usual = study.settings.training.learning_rate;
  const bool as_found = rates.empty() || study.seed == study.settings.seed;
  const size_t baselines = names.size();
  auto trial_at = [&](const Subject& subject, double rate, int) {
    const bool found = subject.name.empty();
    if (found && as_found && rate == usual) return searched_trial(study, subject);
    Trial trial = trial_for(study, subject);
    if (rate == usual) return trial;
    trial.training.learning_rate = rate;
    return apart(trial);
  };
  std::vector<BaselineRow> rows;
  for (auto& tuned : train_at_rates(study, subjects, rates_or_usual(study, rates), 1, trial_at))
    rows.push_back({tuned, rows.size() < baselines});
  // Who came to the front from several seeds is its mean over them.
  for (auto& row : rows)
    if (!row.baseline && rates.empty()) row.tuned.rates[0].by_seed[0] = *row.tuned.subject.searched;
  complete(study, rows);
  for (auto& row : rows)
    if (row.baseline) row.dominated_by = dominating(study, rows, row.evaluation());
  return rows;
}

}  // namespace star::synthesis
