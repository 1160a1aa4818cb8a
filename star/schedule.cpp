#include "star/schedule.h"

#include <cmath>

#include "star/candidate.h"
#include "star/statistics.h"

namespace star::synthesis {

Schedule::Schedule(const SearchSettings& settings, const Pool& pool, const Breeding& breeding,
                   Evaluations& evaluations, StateFolder& states,
                   std::function<void(const Evaluation&)> ended)
    : settings_(settings),
      pool_(pool),
      breeding_(breeding),
      evaluations_(evaluations),
      states_(states),
      ended_(std::move(ended)),
      promotion_(settings) {}

bool Schedule::enter(const std::vector<std::pair<Genome, std::optional<double>>>& bred,
                     const Interrupt& interrupted) {
  promotion_.begin_generation();
  for (auto& [genome, expected] : bred) {
    if (interrupted && interrupted()) return false;
    individuals_.push_back({to_text(genome), cost_of(settings_, pool_, genome), expected});
    promotion_.enter();
    ask(int(size()) - 1);
  }
  promote();
  order();
  return true;
}

// For the training of an individual to the rung that is next for it, or to the end.
void Schedule::ask(int individual) {
  const Individual& asked = individuals_[size_t(individual)];
  const Recipe recipe = promotion_.last_stage(individual)
                            ? Recipe()
                            : Recipe::at_rung(settings_.rungs[promotion_.stage(individual)]);
  if (auto* known = evaluations_.ask({individual, asked.genome, recipe, asked.cost}))
    take(individual, *known);
}

void Schedule::ask_again(int individual, int seed) {
  const Individual& asked = individuals_[size_t(individual)];
  evaluations_.ask({individual, asked.genome, Recipe::of_seed(seed), asked.cost});
}

bool Schedule::step() {
  const auto [individual, evaluation] = evaluations_.step();
  if (!evaluation) return false;
  if (evaluation->recipe.is_of_another_seed()) return true;
  take(individual, *evaluation);
  promote();
  return true;
}

void Schedule::take(int individual, const Evaluation& e) {
  const bool last = promotion_.last_stage(individual);
  if (!e.ok()) {
    promotion_.fail(individual);
    ++failed_;
  } else if (last) {
    ended_(e);
  } else {
    const int64_t rung = settings_.rungs[promotion_.stage(individual)];
    promotion_.reach(individual, rung_fitness(settings_, e.metrics, rung));
  }
  if (last || !e.ok()) states_.forget(e.genome);
}

// Lets those go on that may, and forgets where the others stopped.
void Schedule::promote() {
  std::vector<int> open;
  for (size_t i = settled_; i < size(); ++i)
    if (!promotion_.stopped(int(i))) open.push_back(int(i));
  const auto population = [this](size_t rung) { return population_at(rung); };
  for (auto gone_on = promotion_.decide(population); !gone_on.empty();
       gone_on = promotion_.decide(population)) {
    for (int individual : gone_on) ask(individual);
    order();
  }
  for (int i : open)
    if (promotion_.stopped(i)) states_.forget(genome(i));
}

bool Schedule::at_end(int individual) const {
  return promotion_.stopped(individual) || promotion_.failed(individual) ||
         (promotion_.last_stage(individual) && result(individual));
}

const Evaluation* Schedule::result(int individual) const {
  const Evaluation* e = evaluations_.find(genome(individual));
  return e && e->ok() ? e : nullptr;
}

std::vector<const Evaluation*> Schedule::trainings(const std::string& genome) const {
  std::vector<const Evaluation*> all;
  for (int seed = 0; auto* e = evaluations_.find(genome, Recipe::of_seed(seed)); ++seed)
    all.push_back(e);
  return all;
}

std::vector<Fitness> Schedule::population_at(size_t rung) const {
  std::vector<Fitness> values;
  for (int i : breeding_.population())
    if (auto* e = result(i))
      values.push_back(early_fitness(settings_, e->metrics, early_loss(*e, rung)));
  return values;
}

// Without rungs the quality.
double Schedule::early_loss(const Evaluation& e, size_t rung) const {
  return e.metrics.at(settings_.rungs.empty() ? Objective::quality().name()
                                              : rung_metric(settings_.rungs[rung]));
}

// What an individual came to first, which a model learns; null: it failed before.
const Evaluation* Schedule::first_result(int individual) const {
  const Recipe recipe =
      settings_.rungs.empty() ? Recipe() : Recipe::at_rung(settings_.rungs.front());
  const Evaluation* e = evaluations_.find(genome(individual), recipe);
  return e && e->ok() ? e : nullptr;
}

std::vector<Breeding::FirstLoss> Schedule::first_losses(int generation) const {
  std::vector<Breeding::FirstLoss> losses;
  for (size_t i = begin_of(generation); i < end_of(generation); ++i)
    if (auto* e = first_result(int(i))) losses.push_back({genome(int(i)), early_loss(*e, 0)});
  return losses;
}

void Schedule::summarise(Generation& g) const {
  std::vector<double> at_rung, at_end, expected, found;
  for (size_t i = begin_of(g.generation); i < end_of(g.generation); ++i) {
    const Evaluation* first = first_result(int(i));
    if (individuals_[i].expected && first) {
      expected.push_back(*individuals_[i].expected);
      found.push_back(early_loss(*first, 0));
    }
    if (settings_.rungs.empty()) continue;
    if (promotion_.stopped(int(i))) g.stopped.push_back(genome(int(i)));
    if (!promotion_.last_stage(int(i))) continue;
    ++g.promoted;
    const Evaluation* e = result(int(i));
    if (!e) continue;
    at_rung.push_back(e->metrics.at(rung_metric(settings_.rungs.back())));
    at_end.push_back(e->metrics.at(Objective::quality().name()));
  }
  if (!settings_.rungs.empty()) g.rung_tau = kendall_tau(at_rung, at_end).tau;
  g.model_tau = kendall_tau(expected, found).tau;
}

int64_t Schedule::done_since(int generation) const {
  int64_t done = 0;
  for (size_t i = begin_of(generation); i < size(); ++i)
    done += promotion_.ended(int(i)) + (promotion_.last_stage(int(i)) && result(int(i)));
  return done;
}

}  // namespace star::synthesis
