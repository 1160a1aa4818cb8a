// What is known of the candidates of a search, and who finds out the rest: what the run file holds
// is taken from there, all else is trained by the workers, measured where an objective asks for it,
// and recorded.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "star/candidate.h"
#include "star/workers.h"

namespace star::synthesis {

class Evaluations {
 public:
  // `record` stores what has ended. `retry`: what the file holds as failed counts as not held.
  Evaluations(const SearchSettings& settings, const RunFile& file, Workers& workers,
              std::function<void(const Evaluation&)> record, Interrupt interrupted, bool retry);

  // What is known; null: nothing.
  const Evaluation* find(const std::string& genome, const Recipe& recipe = {}) const;

  struct Asked {
    int individual;
    std::string genome;
    Recipe recipe;
    double cost;
  };
  // What the run file knows of it; null: it is queued, to be trained.
  const Evaluation* ask(const Asked& asked);

  // Who starts first: in a generation, which waits for all, the dearest; otherwise the individual
  // that is waited for first.
  void order_queue(bool dearest_first);

  // Where trainings at a rung are kept.
  void keep_states(const std::string& folder) { states_ = folder; }

  struct Ended {
    int individual;
    const Evaluation* evaluation;  // null: interrupted
  };
  // Lets free workers begin, then waits for one of them.
  Ended step();

  double busy_seconds() const { return busy_seconds_; }

 private:
  using Key = std::pair<std::string, Recipe>;  // of a genome
  struct Job {
    int number;
    Asked asked;
  };
  bool measure(Evaluation& evaluation);

  const SearchSettings& settings_;
  const RunFile& file_;
  Workers& workers_;
  std::function<void(const Evaluation&)> record_;
  Interrupt interrupted_;
  bool retry_;
  std::string states_;
  std::map<Key, Evaluation> known_;
  std::deque<Job> queue_;
  std::map<int, Asked> running_;  // by the number of the job
  int jobs_ = 0;
  double busy_seconds_ = 0;
};

}  // namespace star::synthesis
