// The search: genomes are bred, each trained a little in a worker process, judged, selected and
// recombined (star/README.md).
//
// Everything follows from the settings: the result depends neither on the number of workers nor on
// the order in which they finish. A search that was stopped anywhere is replayed from its run file
// and goes on where it was; what the file holds is not evaluated again.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "star/archive.h"
#include "star/evaluations.h"
#include "star/evolution.h"
#include "star/front.h"
#include "star/promotion.h"
#include "star/run_recorder.h"
#include "star/screening.h"
#include "star/state_folder.h"

namespace star {

// Random genomes as they follow in the initial population on those that it begins with, other
// ones; fewer where the pool and depth have no more.
std::vector<Genome> random_genomes(const SearchSettings& settings, int count);

struct SearchProgress {
  int generation;       // running, from 0
  int64_t done, total;  // trainings, to a rung or to the end, stored ones included
  int64_t failed;
  double best;         // least first objective of a feasible candidate; NaN before there is one
  double hypervolume;  // of the last complete generation's front
};

struct SearchResult {
  int generations = 0;                // complete
  int64_t evaluated = 0, failed = 0;  // to the end, or failed on the way
  int64_t stopped = 0;                // at a rung
  std::vector<double> hypervolume;    // of each generation's front
  std::vector<double> scaled;         // likewise, by HypervolumeScale
  std::vector<Generation> history;    // the complete generations
  std::vector<FrontMember> front;     // by the first objective
  double busy = 0;  // share of the workers' time that they worked; NaN if there was nothing to do
  bool interrupted = false;
};

class Search {
 public:
  // Throws `Error` for settings that do not fit each other or the data.
  Search(const SearchSettings& settings, const Dataset& data);
  ~Search();

  // Workers on this machine, as `run` takes them.
  std::unique_ptr<Workers> local_workers(int count) const;

  // Runs until the last generation, or until `interrupted`, asked often, says so. What `file`, made
  // with these settings, holds already is taken from there; this process must be its only writer
  // (RunFile::claim). Called once. Throws RunFileDamaged where the file holds other candidates than
  // the search breeds.
  //
  // `retry`: candidates that the file holds as failed are tried again. Where one succeeds now, what
  // was bred since is forgotten, for it was bred from the failure: the search goes on from there,
  // and evaluations that it comes upon again are still taken from the file.
  SearchResult run(RunFile& file, Workers& workers,
                   const std::function<void(const SearchProgress&)>& progress = {},
                   const Interrupt& interrupted = {}, bool retry = false);

 private:
  struct Individual {
    std::string genome;
    double cost;  // by which the dearest starts first
  };

  bool by_generations() const { return settings_.lag == kByGenerations; }
  bool stopped() const { return interrupted_ && interrupted_(); }
  bool search();
  bool set_reference(RunFile& file, Workers& workers);
  bool breed(int count);
  std::vector<Offspring> propose(int count);
  bool record(const std::vector<Offspring>& offspring);
  bool settle(size_t count);
  bool step();
  void ask(int individual);
  void take(int individual, const Evaluation& evaluation);
  void promote();
  bool at_end(int individual) const;
  const Evaluation* result(int individual) const;
  const std::string& genome(int individual) const { return asked_[size_t(individual)].genome; }
  std::vector<const Evaluation*> trainings(const std::string& genome) const;
  bool tell(size_t count);
  bool confirm_front(int seeds);
  void judge(int individual);
  void tell_algorithm();
  void close_generations();
  Generation summarise();
  void count_rungs(Generation& generation) const;
  void judge_screening(Generation& generation) const;
  void learn(int generation);
  std::vector<Fitness> population_at(size_t rung) const;
  double early_loss(const Evaluation& evaluation, size_t rung) const;
  const Evaluation* first_result(int individual) const;
  // Of the individuals of a generation the first.
  size_t begin_of(int generation) const { return generation ? ends_[size_t(generation) - 1] : 0; }
  void report() const;
  void finish();

  const SearchSettings& settings_;
  const Dataset& data_;
  Pool pool_;
  std::unique_ptr<Evolution> algorithm_;
  std::function<void(const SearchProgress&)> progress_;
  Interrupt interrupted_;
  std::unique_ptr<RunRecorder> recorder_;
  std::unique_ptr<Evaluations> evaluations_;
  std::unique_ptr<StateFolder> states_;

  std::vector<double> reference_;  // of the hypervolume
  std::vector<Individual> asked_;
  Promotion promotion_;
  std::optional<Screening> screening_;
  std::map<int, double> expected_;         // of individuals, by the screening
  std::vector<size_t> ends_;               // individuals until the end of each generation
  size_t told_ = 0;                        // individuals that were told, or stopped before
  std::map<int, Fitness> fitness_;         // of those told
  std::set<int> judged_;                   // of these, whose fitness the algorithm does not know
  Archive archive_;                        // of those told
  bool complete_ = false;                  // the last front is settled
  std::optional<HypervolumeScale> scale_;  // from the first front that keeps the bounds
  double best_ = std::numeric_limits<double>::quiet_NaN();
  SearchResult result_;
};

}  // namespace star
