// The part of the search that decides before a training is at its end: rungs (star/promotion.h) and
// screening (star/screening.h), and what they were worth.
#include <cmath>

#include "star/search.h"
#include "star/statistics.h"

namespace star {

// For the training of an individual to the rung that is next for it, or to the end.
void Search::ask(int individual) {
  const Individual& asked = asked_[size_t(individual)];
  const Recipe recipe = promotion_.last_stage(individual)
                            ? Recipe()
                            : Recipe::at_rung(settings_.rungs[promotion_.stage(individual)]);
  if (auto* known = evaluations_->ask({individual, asked.genome, recipe, asked.cost}))
    take(individual, *known);
}

void Search::take(int individual, const Evaluation& e) {
  const bool last = promotion_.last_stage(individual);
  if (!e.ok()) {
    promotion_.fail(individual);
    ++result_.failed;
  } else if (last) {
    const Fitness f = fitness_of(e.metrics, settings_.objectives, settings_.bounds);
    if (!has_failed(f) && f.violation == 0 && !(f.objectives[0] >= best_)) best_ = f.objectives[0];
  } else {
    const int64_t rung = settings_.rungs[promotion_.stage(individual)];
    promotion_.reach(individual, rung_fitness(settings_, e.metrics, rung));
  }
  if (last || !e.ok()) states_->forget(e.genome);
}

// Lets those go on that may, and forgets where the others stopped.
void Search::promote() {
  std::vector<int> open;
  for (size_t i = told_; i < asked_.size(); ++i)
    if (!promotion_.stopped(int(i))) open.push_back(int(i));
  const auto population = [this](size_t rung) { return population_at(rung); };
  for (auto gone_on = promotion_.decide(population); !gone_on.empty();
       gone_on = promotion_.decide(population)) {
    for (int individual : gone_on) ask(individual);
    evaluations_->order_queue(by_generations());
  }
  for (int i : open)
    if (promotion_.stopped(i)) states_->forget(asked_[size_t(i)].genome);
}

// By the trainings of its members that came to the end, which passed every rung; without rungs, by
// the quality.
std::vector<Fitness> Search::population_at(size_t rung) const {
  std::vector<Fitness> values;
  for (int i : algorithm_->population())
    if (auto* e = result(i))
      values.push_back(early_fitness(settings_, e->metrics, early_loss(*e, rung)));
  return values;
}

double Search::early_loss(const Evaluation& e, size_t rung) const {
  return e.metrics.at(settings_.rungs.empty() ? Objective::quality().name()
                                              : rung_metric(settings_.rungs[rung]));
}

// What an individual came to first, which the model learns; null: it failed before.
const Evaluation* Search::first_result(int individual) const {
  const Recipe recipe =
      settings_.rungs.empty() ? Recipe() : Recipe::at_rung(settings_.rungs.front());
  const Evaluation* e = evaluations_->find(genome(individual), recipe);
  return e && e->ok() ? e : nullptr;
}

// Who of a generation stopped and who went on to the end, and whether the last rung foretold it.
void Search::count_rungs(Generation& g) const {
  if (settings_.rungs.empty()) return;
  std::vector<double> at_rung, at_end;
  for (size_t i = begin_of(g.generation); i < ends_[size_t(g.generation)]; ++i) {
    if (promotion_.stopped(int(i))) g.stopped.push_back(asked_[i].genome);
    if (!promotion_.last_stage(int(i))) continue;
    ++g.promoted;
    const Evaluation* e = result(int(i));
    if (!e) continue;
    at_rung.push_back(e->metrics.at(rung_metric(settings_.rungs.back())));
    at_end.push_back(e->metrics.at(Objective::quality().name()));
  }
  g.rung_tau = kendall_tau(at_rung, at_end).tau;
}

void Search::judge_screening(Generation& g) const {
  std::vector<double> expected, found;
  for (size_t i = begin_of(g.generation); i < ends_[size_t(g.generation)]; ++i) {
    const auto known = expected_.find(int(i));
    const Evaluation* e = first_result(int(i));
    if (known == expected_.end() || !e) continue;
    expected.push_back(known->second);
    found.push_back(early_loss(*e, 0));
  }
  g.model_tau = kendall_tau(expected, found).tau;
}

void Search::learn(int generation) {
  if (!screening_) return;
  for (size_t i = begin_of(generation); i < ends_[size_t(generation)]; ++i)
    if (auto* e = first_result(int(i))) screening_->learn(genome(int(i)), early_loss(*e, 0));
  screening_->fit();
}

}  // namespace star
