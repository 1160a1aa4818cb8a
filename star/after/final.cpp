#include "star/after/final.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace star::synthesis {
namespace {

// The best of the group by the metric that was asked for, if any.
std::vector<Subject> chosen(const Study& study, const FinalOptions& options) {
  if (options.top == 0) return {};
  std::vector<Subject> members = subjects_of(study, options.from);
  const std::string& by = options.by;
  if (by != study.settings.objectives[0].name()) {
    std::vector<std::string> known;
    for (auto& [name, value] : members[0].searched->metrics) {
      auto has = [&](auto& m) { return m.searched->metrics.count(name) > 0; };
      if (std::all_of(members.begin(), members.end(), has)) known.push_back(name);
    }
    require(std::find(known.begin(), known.end(), by) != known.end(), "--by: {} is not one of {}",
            by, fmt::join(known, ", "));
    std::stable_sort(members.begin(), members.end(), [&](auto& a, auto& b) {
      return a.searched->metrics.at(by) < b.searched->metrics.at(by);
    });
  }
  members.resize(std::min(members.size(), size_t(options.top)));
  return members;
}

// What may be missing is what runs of older versions, or of other data, have not.
void summarise(const Study& study, FinalRow& row) {
  static const std::set<std::string> kNeeded = {"test_quality", "test_standard_error",
                                                "test_targets", "test_perplexity", "test_accuracy"};
  const AtRate& best = row.tuned.chosen();
  const std::vector<const Evaluation*> done = best.done();
  if (done.empty()) return;
  for (const char* name :
       {"test_quality", "test_standard_error", "test_targets", "test_bpb", "test_perplexity",
        "test_accuracy", "test_macro_accuracy", "quality", "standard_error", "targets",
        "train_loss", "train_standard_error", "train_targets"}) {
    if (!done[0]->metrics.count(name) && !kNeeded.count(name)) continue;
    row.spread[name] = best.spread(study, name);
  }
}

// The index of what the others are compared with; −1 where there is nothing.
int reference_of(const Study& study, const std::vector<Tuned>& tuned, size_t found,
                 const std::string& against) {
  if (against.empty()) {
    const int best = best_by_quality(study, {tuned.begin() + long(found), tuned.end()});
    return best < 0 ? -1 : int(found) + best;
  }
  // A baseline rather than what the search has found of the same genome.
  for (size_t i = tuned.size(); i-- > 0;)
    if (tuned[i].subject.genome == against) return tuned[i].ok() ? int(i) : -1;
  return -1;
}

void sort(FinalTable& table, int reference) {
  std::vector<size_t> order(table.rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) {
    const FinalRow &a = table.rows[i], &b = table.rows[j];
    if (!a.tuned.ok() || !b.tuned.ok()) return a.tuned.ok() && !b.tuned.ok();
    return a.mean("test_quality") < b.mean("test_quality");
  });
  std::vector<FinalRow> sorted;
  for (size_t i : order) {
    if (int(i) == reference) table.reference = int(sorted.size());
    sorted.push_back(std::move(table.rows[i]));
  }
  table.rows = std::move(sorted);
}

void settle(const Study& study, FinalOptions& options) {
  if (options.from.empty()) options.from = usual_group(study.settings);
  if (options.by.empty()) options.by = study.settings.objectives[0].name();
  if (options.steps == 0) options.steps = 4 * study.settings.training.steps;
  options.rates = rates_or_usual(study, options.rates);
}

}  // namespace

FinalTable final_table(const Study& study, FinalOptions options) {
  settle(study, options);
  std::vector<Subject> subjects = chosen(study, options);
  const size_t found = subjects.size();
  for (auto& name : options.names) subjects.push_back(named_subject(study, name));
  std::string against;
  if (!options.against.empty()) {
    const Subject other = named_subject(study, options.against);
    against = other.genome;
    auto same = [&](auto& s) { return s.genome == against; };
    if (std::none_of(subjects.begin(), subjects.end(), same)) subjects.push_back(other);
  }
  auto trial_at = [&](const Subject& subject, double rate, int seed) {
    Trial trial = trial_for(study, subject);
    trial.seed = trial.training.seed = study.seed + uint64_t(seed);
    trial.training.steps = options.steps;
    trial.training.learning_rate = rate;
    return apart(trial);
  };
  const std::vector<Tuned> tuned =
      train_at_rates(study, subjects, options.rates, options.seeds, trial_at);
  const int reference = reference_of(study, tuned, found, against);
  FinalTable table{options, {}};
  for (size_t i = 0; i < tuned.size(); ++i) {
    FinalRow row{tuned[i], i >= found};
    summarise(study, row);
    if (reference >= 0 && int(i) != reference && row.tuned.ok())
      row.difference =
          test_difference(study, row.tuned.chosen(), tuned[size_t(reference)].chosen());
    table.rows.push_back(std::move(row));
  }
  sort(table, reference);
  return table;
}

}  // namespace star::synthesis
