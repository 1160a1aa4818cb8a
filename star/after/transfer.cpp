#include "star/after/transfer.h"

#include <algorithm>

namespace star::synthesis {
namespace {

// What is left open follows the search and the width.
void settle(const Study& study, TransferOptions& o) {
  const Sizes& from = study.settings.sizes;
  if (o.from.empty()) o.from = usual_group(study.settings);
  if (o.width == 0) o.width = 2 * from.width;
  if (o.heads == 0) o.heads = std::max<int64_t>(1, from.heads * o.width / from.width);
  if (o.steps == 0) o.steps = study.settings.training.steps;
  o.rates = rates_or_usual(study, o.rates);
  Sizes larger = from;
  larger.width = o.width;
  larger.heads = o.heads;
  check_sizes(larger);
}

// Best first in the larger model; what failed comes last and has no rank.
void rank(const Study& study, std::vector<TransferRow>& rows) {
  std::vector<double> small, large;
  std::stable_partition(rows.begin(), rows.end(), [](auto& row) { return row.ok(); });
  for (auto& row : rows) {
    if (!row.ok()) break;
    small.push_back(metric_of(study, row.small, "quality"));
    large.push_back(metric_of(study, row.large(), "quality"));
  }
  const std::vector<double> small_ranks = ranks(small), large_ranks = ranks(large);
  for (size_t i = 0; i < small.size(); ++i) {
    rows[i].small_rank = small_ranks[i];
    rows[i].large_rank = large_ranks[i];
  }
  std::stable_sort(rows.begin(), rows.begin() + long(small.size()),
                   [](auto& a, auto& b) { return a.large_rank < b.large_rank; });
}

std::vector<Agreement> compare(const Study& study, const std::vector<TransferRow>& rows) {
  std::vector<Agreement> agreements;
  for (auto& name : kTransferred) {
    std::vector<double> small, large;
    for (auto& row : rows) {
      if (!row.ok()) continue;
      small.push_back(metric_of(study, row.small, name));
      large.push_back(metric_of(study, row.large(), name));
    }
    agreements.push_back({name + " in the search", name + " of the larger model",
                          kendall_tau(small, large), int64_t(small.size())});
  }
  return agreements;
}

}  // namespace

TransferTable transfer_table(const Study& study, TransferOptions options) {
  settle(study, options);
  std::vector<Subject> subjects = subjects_of(study, options.from);
  if (options.top > 0) subjects.resize(std::min(subjects.size(), size_t(options.top)));
  for (auto& name : options.names) subjects.push_back(named_subject(study, name));
  auto larger = [&](const Subject& subject, double rate, int) {
    Trial trial = trial_for(study, subject);
    trial.sizes.width = options.width;
    trial.sizes.heads = options.heads;
    trial.repeat = options.repeat;
    trial.stretch = options.stretch;
    trial.training.steps = options.steps;
    trial.training.learning_rate = rate;
    return apart(trial);
  };
  const std::vector<Tuned> tuned = train_at_rates(study, subjects, options.rates, 1, larger);
  // Names are not known from the search; of what it trained from several seeds it knows the mean.
  std::vector<Trial> unknown;
  for (auto& s : subjects)
    if (!s.searched) unknown.push_back(trial_for(study, s));
  const std::vector<Evaluation> small = study.train(unknown);
  TransferTable table{options, {}, {}};
  auto next = small.begin();
  for (auto& t : tuned)
    table.rows.push_back({t.subject.searched ? *t.subject.searched : *next++, t});
  rank(study, table.rows);
  table.agreements = compare(study, table.rows);
  return table;
}

}  // namespace star::synthesis
