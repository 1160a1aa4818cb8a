// The search: genomes are bred, each trained a little in a worker process, judged, selected and
// recombined (star/README.md).
//
// Everything follows from the settings: the result depends neither on the number of workers nor on
// the order in which they finish. A search that was stopped anywhere is replayed from its run file
// and goes on where it was; what the file holds is not evaluated again.
//
// It is put together of parts that know nothing of each other's work: Breeding says what is tried
// next, RunRecorder compares with the run file and adds to it, Schedule trains, Ledger judges what
// came of it, and star/reference.h says where the hypervolume ends.
#pragma once

#include <functional>
#include <optional>

#include "star/breeding.h"
#include "star/front.h"
#include "star/ledger.h"
#include "star/run_recorder.h"
#include "star/schedule.h"
#include "star/stopping.h"

namespace star::synthesis {

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
  std::string ended;  // why before the last generation; empty where it was not
};

// Lets a run go on under settings that differ from those it holds in the number of generations,
// where it ends early, what a candidate may take, and where the data lies: it then ends as if it had
// been begun with them. Other bounds are those of the generations that have not begun, and of what
// the search has found in the end. The settings that the file then has. Error: it has begun more
// generations than they have, or has not measured what they bound.
SearchSettings go_on_under(SearchSettings settings, const SearchSettings& held, RunFile& file);

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
  //
  // `most_seconds`: it ends in time (star/stopping.h); 0: when it will. A search that ends before
  // its last generation has settings with so many generations in the file from then on.
  SearchResult run(RunFile& file, Workers& workers,
                   const std::function<void(const SearchProgress&)>& progress = {},
                   const Interrupt& interrupted = {}, bool retry = false, double most_seconds = 0);

 private:
  bool stopped() const { return interrupted_ && interrupted_(); }
  bool search();
  bool breed_generation();
  void judge_under_bounds_of(int generation);
  bool ends_early();
  void reopen_last_generation();
  bool breed(int count);
  bool record(const std::vector<Offspring>& offspring);
  bool settle(size_t count);
  bool step();
  bool judge(int individual);
  void tell();
  bool confirm_front(int seeds);
  void close_generations();
  void report();
  void finish();

  const SearchSettings given_;
  SearchSettings settings_;  // with the bounds of the generation that is bred
  const Dataset& data_;
  Pool pool_;
  std::function<void(const SearchProgress&)> progress_;
  int64_t done_ = 0;  // trainings, as reported
  Interrupt interrupted_;

  // Its parts: who is bred, what the file holds, who is trained how far, what was found.
  Breeding breeding_;
  std::optional<RunRecorder> recorder_;
  std::optional<Schedule> schedule_;
  std::optional<Ledger> ledger_;

  int generations_;  // to be bred
  std::optional<Deadline> deadline_;
  size_t told_ = 0;        // individuals that were told, or stopped before
  int64_t fallen_ = 0;     // those that failed from another seed
  bool complete_ = false;  // the last front is settled
  SearchResult result_;
};

}  // namespace star::synthesis
