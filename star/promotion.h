// Rungs: a candidate's training stops at certain steps, and only the best share of those that came
// so far goes on. Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm
// identification and hyperparameter optimization", 2016) with several objectives (Schmucker et al.,
// "Multi-objective asynchronous successive halving", arXiv 2106.12639).
//
// At a rung a candidate is judged by its loss there (star/trainer.h, loss_at) in place of the
// quality, and by the objectives and bounds that are known of a genome without training; what is
// measured is not known yet. The ranking is that of survival: fronts and crowding, for every
// algorithm but those that look at the first objective alone.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "star/objectives.h"
#include "star/search_settings.h"

namespace star::synthesis {

// What is judged before the end of a training: a loss in place of the quality, and of the metrics
// those that are known without training.
Fitness early_fitness(const SearchSettings& settings, const Metrics& metrics, double loss);
// At a rung, of the metrics of a training that came there or went on.
Fitness rung_fitness(const SearchSettings& settings, const Metrics& metrics, int64_t rung);

// Places of the `count` best newcomers, ascending, all being ranked together with the population.
// Of equals the first.
std::vector<size_t> best_newcomers(std::span<const Fitness> newcomers,
                                   std::span<const Fitness> population, size_t count);

// Whether the last of those that reached a rung is among the best share of them, rounded up.
bool last_is_among_best(std::span<const Fitness> reached, double share);

// Who is trained how far. Individuals are numbered from 0, in the order in which they enter.
//
// By generations, all that entered since the last generation are judged at a rung together, once
// all are there. Bred steadily, each is judged when all before it have been, against all of those:
// so that decisions depend on the order of individuals, never on that in which results arrive.
class Promotion {
 public:
  explicit Promotion(const SearchSettings& settings);

  void begin_generation() { begin_ = members_.size(); }
  void enter() { members_.emplace_back(); }

  // What an individual has come to on the way to where it is trained now: a rung's judgement, or
  // nothing, which is a failure, also on the way from the last rung to the end.
  void reach(int individual, const Fitness& at_rung);
  void fail(int individual);

  // The values of the population at a rung, by its place; asked by generations alone.
  using Population = std::function<std::vector<Fitness>(size_t rung)>;

  // Decides what can be decided: who goes on now, to be trained further.
  std::vector<int> decide(const Population& population);

  // The place of the rung that an individual is trained to, or their number: to the end.
  size_t stage(int individual) const { return member(individual).stage; }
  bool last_stage(int individual) const { return stage(individual) == rungs_; }
  bool stopped(int individual) const { return member(individual).stopped; }
  bool failed(int individual) const { return member(individual).failed; }
  // Trainings on the way that have ended, at a rung or by a failure.
  int64_t ended(int individual) const {
    const Member& m = member(individual);
    return int64_t(m.stage) + (m.value || m.failed);
  }

 private:
  struct Member {
    size_t stage = 0;
    bool stopped = false, failed = false;
    std::optional<Fitness> value{};  // at the rung of this stage
    bool open() const { return !stopped && !failed; }
  };
  const Member& member(int individual) const { return members_[size_t(individual)]; }
  void go_on(size_t individual, std::vector<int>& gone_on);
  void decide_generation(size_t stage, const Population& population, std::vector<int>& gone_on);
  void decide_in_order(size_t stage, std::vector<int>& gone_on);

  bool by_generations_;
  double share_;
  size_t rungs_;
  std::vector<int64_t> sizes_;
  std::vector<Member> members_;
  size_t begin_ = 0;                           // of the generation
  std::vector<size_t> next_;                   // by rung: the first that is not decided there
  std::vector<std::vector<Fitness>> reached_;  // by rung: those that came there, in their order
};

}  // namespace star::synthesis
