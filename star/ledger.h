// What a search has found so far: the fitness of each individual that is at its end, the front of
// all of them, and its hypervolume.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "star/archive.h"
#include "star/evolution.h"
#include "star/search_settings.h"
#include "star/store.h"

namespace star::synthesis {

class Ledger {
 public:
  // `reference`: of the hypervolume, by objective.
  Ledger(const SearchSettings& settings, std::vector<double> reference);

  // A success, of which nothing else is known yet.
  void see(const Evaluation& evaluation);
  // What an individual was trained from until now: its fitness is that of the mean. None: it has
  // failed. Judged again, it may leave the front, and what it dominated come back. Whether it has
  // failed.
  bool judge(int individual, const std::vector<const Evaluation*>& trainings);
  // All are to be judged again, as they were the first time: the bounds are others.
  void forget();
  // Those judged since this was called last.
  std::vector<Result> news();

  const std::vector<Archive::Member>& front() const { return archive_.members(); }
  // Least first objective of a feasible candidate; NaN before there is one.
  double best() const { return best_; }

  using GenomeOf = std::function<const std::string&(int individual)>;
  void summarise(Generation& generation, const GenomeOf& genome);
  // Of the first front, which the hypervolume is scaled by, nothing is known yet.
  void forget_scale() { scale_.reset(); }

 private:
  const SearchSettings& settings_;
  std::vector<double> reference_;
  std::map<int, Fitness> fitness_;
  std::set<int> news_;
  Archive archive_;
  std::optional<HypervolumeScale> scale_;  // from the first front that keeps the bounds
  double best_ = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace star::synthesis
