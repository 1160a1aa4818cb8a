#include "star/ledger.h"

#include <cmath>

#include "star/seeds.h"

namespace star::synthesis {

Ledger::Ledger(const SearchSettings& settings, std::vector<double> reference)
    : settings_(settings), reference_(std::move(reference)) {}

void Ledger::see(const Evaluation& e) {
  const Fitness f = fitness_of(e.metrics, settings_.objectives, settings_.bounds);
  if (!has_failed(f) && f.violation == 0 && !(f.objectives[0] >= best_)) best_ = f.objectives[0];
}

bool Ledger::judge(int individual, const std::vector<const Evaluation*>& trainings) {
  Fitness fitness{std::vector<double>(settings_.objectives.size(), std::nan("")), 0, true};
  if (!trainings.empty()) {
    const Evaluation mean = over_seeds(trainings).mean;
    if (mean.ok()) fitness = fitness_of(mean.metrics, settings_.objectives, settings_.bounds);
  }
  news_.insert(individual);
  const bool again = fitness_.count(individual);
  fitness_[individual] = fitness;
  if (!again) {
    archive_.add(individual, fitness);
    return fitness.failed;
  }
  archive_ = {};
  for (auto& [i, f] : fitness_) archive_.add(i, f);
  best_ = std::nan("");
  for (auto& m : archive_.members())
    if (m.fitness.violation == 0) best_ = std::fmin(best_, m.fitness.objectives[0]);
  return fitness.failed;
}

void Ledger::forget() {
  fitness_.clear();
  archive_ = {};
  best_ = std::nan("");
}

std::vector<Result> Ledger::news() {
  std::vector<Result> results;
  for (int i : news_) results.push_back({i, fitness_.at(i)});
  news_.clear();
  return results;
}

void Ledger::summarise(Generation& g, const GenomeOf& genome) {
  g.evaluated = int64_t(fitness_.size());
  for (auto& [i, fitness] : fitness_) g.failed += fitness.failed;
  std::vector<std::vector<double>> points;
  for (const Archive::Member& m : archive_.members()) {
    g.front.push_back(genome(m.individual));
    if (m.fitness.violation == 0) points.push_back(m.fitness.objectives);
  }
  g.hypervolume = points.empty() ? 0 : hypervolume(points, reference_);
  if (!scale_ && !points.empty()) scale_.emplace(points, reference_, settings_.population);
  g.scaled = scale_ ? scale_->of(points) : std::nan("");
}

}  // namespace star::synthesis
