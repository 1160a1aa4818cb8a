// Genomes trained at several learning rates and from several seeds. One rate for all is unfair to
// some, so that each is shown at the rate that is best for it: by the validation part, never by the
// test part, which is for what is then shown.
#pragma once

#include <string>
#include <vector>

#include "star/after/study.h"
#include "star/statistics.h"

namespace star::synthesis {

struct AtRate {
  double rate;
  std::vector<Evaluation> by_seed;  // one for each, in their order

  std::vector<const Evaluation*> done() const;  // those that did not fail
  int failed() const { return int(by_seed.size() - done().size()); }
  std::string failure() const;  // of one that did; empty where none did
  // Over the seeds that did not fail. Error: a metric is missing (metric_of).
  Spread spread(const Study& study, const std::string& metric) const;
};

struct Tuned {
  Subject subject;
  std::vector<AtRate> rates;  // in the order in which they were asked for, each once
  size_t best = 0;            // of those with the fewest failures that of the least mean quality

  const AtRate& chosen() const { return rates[best]; }
  bool ok() const { return !chosen().done().empty(); }
  // Whether the best is the least or the greatest of several: one beyond might be better.
  bool at_end() const;
};

// The trial of a subject at a rate, from the seed of this number, from 0.
using TrialAt = std::function<Trial(const Subject&, double rate, int seed)>;

// All of them, trained at once; `rates` are not empty.
std::vector<Tuned> train_at_rates(const Study& study, const std::vector<Subject>& subjects,
                                  const std::vector<double>& rates, int seeds,
                                  const TrialAt& trial_at);

// The index of the one that is best by mean quality at its best rate; −1 where all have failed.
int best_by_quality(const Study& study, const std::vector<Tuned>& tuned);

// The test losses of two, pair by pair of the seeds at which neither has failed.
PairedDifference test_difference(const Study& study, const AtRate& a, const AtRate& b);

// The rates with doubles left out; the search's where there are none.
std::vector<double> rates_or_usual(const Study& study, const std::vector<double>& rates);

}  // namespace star::synthesis
