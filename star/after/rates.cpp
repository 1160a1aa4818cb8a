#include "star/after/rates.h"

#include <algorithm>
#include <cmath>

namespace star::synthesis {
namespace {

size_t best_rate(const Study& study, const std::vector<AtRate>& rates) {
  if (rates.size() == 1) return 0;
  auto better = [&](const AtRate& a, const AtRate& b) {
    if (a.failed() != b.failed()) return a.failed() < b.failed();
    if (a.done().empty()) return false;
    return a.spread(study, "quality").mean < b.spread(study, "quality").mean;
  };
  return size_t(std::min_element(rates.begin(), rates.end(), better) - rates.begin());
}

}  // namespace

std::vector<const Evaluation*> AtRate::done() const {
  std::vector<const Evaluation*> all;
  for (auto& e : by_seed)
    if (e.ok()) all.push_back(&e);
  return all;
}

std::string AtRate::failure() const {
  for (auto& e : by_seed)
    if (!e.ok()) return e.failure;
  return "";
}

Spread AtRate::spread(const Study& study, const std::string& metric) const {
  std::vector<double> values;
  for (const Evaluation* e : done()) values.push_back(metric_of(study, *e, metric));
  return spread_of(values);
}

bool Tuned::at_end() const {
  if (rates.size() < 2) return false;
  auto [least, greatest] = std::minmax_element(rates.begin(), rates.end(),
                                               [](auto& a, auto& b) { return a.rate < b.rate; });
  return chosen().rate == least->rate || chosen().rate == greatest->rate;
}

std::vector<Tuned> train_at_rates(const Study& study, const std::vector<Subject>& subjects,
                                  const std::vector<double>& rates, int seeds,
                                  const TrialAt& trial_at) {
  std::vector<Trial> trials;
  for (auto& subject : subjects)
    for (double rate : rates)
      for (int seed = 0; seed < seeds; ++seed) trials.push_back(trial_at(subject, rate, seed));
  std::vector<Evaluation> trained = study.train(trials);
  std::vector<Tuned> all;
  auto next = trained.begin();
  for (auto& subject : subjects) {
    Tuned tuned{subject, {}};
    for (double rate : rates) {
      tuned.rates.push_back({rate, {next, next + seeds}});
      next += seeds;
    }
    tuned.best = best_rate(study, tuned.rates);
    all.push_back(std::move(tuned));
  }
  return all;
}

int best_by_quality(const Study& study, const std::vector<Tuned>& tuned) {
  int best = -1;
  double least = 0;
  for (size_t i = 0; i < tuned.size(); ++i) {
    if (!tuned[i].ok()) continue;
    const double quality = tuned[i].chosen().spread(study, "quality").mean;
    if (best >= 0 && !(quality < least)) continue;
    best = int(i);
    least = quality;
  }
  return best;
}

PairedDifference test_difference(const Study& study, const AtRate& a, const AtRate& b) {
  std::vector<double> of_a, of_b;
  for (size_t seed = 0; seed < std::min(a.by_seed.size(), b.by_seed.size()); ++seed) {
    if (!a.by_seed[seed].ok() || !b.by_seed[seed].ok()) continue;
    of_a.push_back(metric_of(study, a.by_seed[seed], "test_quality"));
    of_b.push_back(metric_of(study, b.by_seed[seed], "test_quality"));
  }
  return paired_difference(of_a, of_b);
}

std::vector<double> rates_or_usual(const Study& study, const std::vector<double>& rates) {
  if (rates.empty()) return {study.settings.training.learning_rate};
  std::vector<double> once;
  for (double rate : rates)
    if (std::find(once.begin(), once.end(), rate) == once.end()) once.push_back(rate);
  return once;
}

}  // namespace star::synthesis
