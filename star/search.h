// The search: generations of genomes, each trained a little in a worker process, judged, selected
// and recombined (star/README.md).
//
// Everything follows from the settings: the result depends neither on the number of workers nor on
// the order in which they finish. A search that was stopped anywhere is replayed from its run file
// and goes on where it was; what the file holds is not evaluated again.
#pragma once

#include <functional>

#include "star/evolution.h"
#include "star/objectives.h"
#include "star/search_settings.h"
#include "star/store.h"

namespace star {

// Trains one genome as a candidate and judges it: its metrics, or why it failed. One thread.
Evaluation evaluate_candidate(const SearchSettings& settings, const Dataset& data,
                              const std::string& genome);

struct SearchProgress {
  int generation;       // running, from 0
  int64_t done, total;  // evaluations, cached ones included
  int64_t failed;
  double best;         // least first objective of a feasible candidate; NaN before there is one
  double hypervolume;  // of the last complete generation's front
};

struct FrontMember {
  std::string genome;
  std::map<std::string, double> objectives;
  Metrics metrics;
};

struct SearchResult {
  int generations = 0;  // complete
  int64_t evaluated = 0, failed = 0;
  std::vector<double> hypervolume;  // of each generation's front
  std::vector<FrontMember> front;   // by the first objective
  bool interrupted = false;
};

class Search {
 public:
  // Throws `Error` for settings that do not fit each other or the data.
  Search(const SearchSettings& settings, const Dataset& data);
  ~Search();

  // Runs until the last generation, or until `interrupted`, asked often, says so. What `file`, made
  // with these settings, holds already is taken from there. Called once.
  SearchResult run(RunFile& file, int workers,
                   const std::function<void(const SearchProgress&)>& progress = {},
                   const std::function<bool()>& interrupted = {});

 private:
  struct Known {
    Evaluation evaluation;
    Fitness fitness;
  };
  bool evaluate(const std::vector<Offspring>& offspring, int workers,
                const std::function<bool()>& interrupted);
  void learn(const Evaluation& evaluation);
  std::vector<double> reference_point();
  Generation summarise(int generation, const std::vector<double>& reference) const;
  void report(int generation) const;

  const SearchSettings& settings_;
  const Dataset& data_;
  RunFile* file_ = nullptr;
  Pool pool_;
  std::unique_ptr<Algorithm> algorithm_;
  std::vector<std::string> asked_;      // the genome of each individual
  std::map<std::string, Known> known_;  // evaluated
  int64_t done_ = 0, failed_ = 0;
  SearchResult result_;
  std::function<void(const SearchProgress&)> progress_;
};

}  // namespace star
