// Who of a search is trained how far, from the genome to the end of its training: to the rung that
// is next (star/promotion.h), whoever goes on, and from further seeds whoever is asked for again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "star/breeding.h"
#include "star/evaluations.h"
#include "star/promotion.h"
#include "star/state_folder.h"

namespace star {

class Schedule {
 public:
  // `ended` sees each success of a whole training from the first seed.
  Schedule(const SearchSettings& settings, const Pool& pool, const Breeding& breeding,
           Evaluations& evaluations, StateFolder& states,
           std::function<void(const Evaluation&)> ended);

  // Individuals, numbered in the order in which they enter.
  size_t size() const { return individuals_.size(); }
  const std::string& genome(int i) const { return individuals_[size_t(i)].genome; }
  // Generations whose individuals have all entered, and of each the first individual.
  size_t generations() const { return ends_.size(); }
  size_t begin_of(int generation) const { return generation ? ends_[size_t(generation) - 1] : 0; }
  size_t end_of(int generation) const { return ends_[size_t(generation)]; }

  // Individuals that are bred together: their trainings are asked for. False: interrupted.
  bool enter(const std::vector<std::pair<Genome, std::optional<double>>>& expected,
             const Interrupt& interrupted);
  void end_generation() { ends_.push_back(size()); }
  // A training from a further seed.
  void ask_again(int individual, int seed);
  // Who starts first of those that wait.
  void order() { evaluations_.order_queue(settings_.by_generations()); }

  // Waits until a training has ended, and lets those go on that may. False: interrupted.
  bool step();
  // All before this one are at their end, and were told.
  void settled_until(size_t individual) { settled_ = individual; }

  bool stopped(int individual) const { return promotion_.stopped(individual); }
  bool at_end(int individual) const;
  // A success of the whole training; null: none.
  const Evaluation* result(int individual) const;
  // All that the search has asked for and knows, from the first seed on.
  std::vector<const Evaluation*> trainings(const std::string& genome) const;

  // By the trainings of the population that came to the end, which passed every rung.
  std::vector<Fitness> population_at(size_t rung) const;
  std::vector<Breeding::FirstLoss> first_losses(int generation) const;
  // Who of a generation stopped and who went on to the end, and whether the last rung, and what was
  // expected, foretold it.
  void summarise(Generation& generation) const;

  // Trainings that ended, to a rung or to the end, of individuals from this generation on.
  int64_t done_since(int generation) const;
  int64_t failed() const { return failed_; }

 private:
  struct Individual {
    std::string genome;
    double cost;  // by which the dearest starts first
    std::optional<double> expected;
  };

  void ask(int individual);
  void take(int individual, const Evaluation& evaluation);
  void promote();
  double early_loss(const Evaluation& evaluation, size_t rung) const;
  const Evaluation* first_result(int individual) const;

  const SearchSettings& settings_;
  const Pool& pool_;
  const Breeding& breeding_;
  Evaluations& evaluations_;
  StateFolder& states_;
  std::function<void(const Evaluation&)> ended_;
  Promotion promotion_;
  std::vector<Individual> individuals_;
  std::vector<size_t> ends_;  // individuals until the end of each generation
  size_t settled_ = 0;
  int64_t failed_ = 0;
};

}  // namespace star
