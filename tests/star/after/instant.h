// A run that nobody has searched, and trainings that take no time: what each comes to is written
// down beside it.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "star/after/study.h"

namespace star::synthesis {

inline Evaluation evaluation(const std::string& genome, const Metrics& metrics,
                             const Recipe& recipe = {}) {
  Evaluation e;
  e.genome = genome;
  e.recipe = recipe;
  e.metrics = metrics;
  return e;
}

// All that a training reports, where nothing but the losses matters.
inline Metrics trained(double quality, double test_quality) {
  return {{"quality", quality},  {"test_quality", test_quality}, {"test_standard_error", 0.01},
          {"test_targets", 100}, {"test_perplexity", 3},         {"test_accuracy", 0.5},
          {"params", 1000},      {"body_params", 900},           {"cache", 64},
          {"flops", 5000}};
}

struct InstantRun {
  std::string path = "a.run";
  SearchSettings settings;
  RunContents contents;
  // What a trial comes to.
  std::function<Metrics(const Trial&)> result = [](const Trial&) { return trained(1, 1); };
  std::vector<Trial> asked;  // in their order

  InstantRun() {
    settings.seed = settings.training.seed = 5;
    settings.sizes = {.width = 16, .heads = 2, .vocab = 16, .seq = 16};
    settings.training.steps = 10;
    settings.min_depth = settings.max_depth = 2;
    settings.objectives = {"quality", "params"};
  }

  // A candidate of the search.
  void found(const std::string& genome, double quality, double params) {
    contents.evaluations.push_back(
        evaluation(genome, {{"quality", quality}, {"params", params}, {"cache", 64}}));
  }
  void close(std::vector<std::string> front, std::vector<std::string> population) {
    Generation g;
    g.front = std::move(front);
    g.population = std::move(population);
    contents.generations.push_back(g);
  }

  // An empty result is a failure. What the search has trained is what it was found to be.
  Evaluation answer(const Trial& trial) {
    for (auto& e : contents.evaluations)
      if (e.genome == trial.genome && e.recipe == trial.recipe) return e;
    Evaluation e = evaluation(trial.genome, result(trial), trial.recipe);
    if (e.metrics.empty()) e.failure = "diverged";
    return e;
  }
  Study study() {
    return {path, settings, contents, settings.seed, [this](const std::vector<Trial>& trials) {
              std::vector<Evaluation> all;
              for (auto& trial : trials) {
                asked.push_back(trial);
                all.push_back(answer(trial));
              }
              return all;
            }};
  }
};

}  // namespace star::synthesis
