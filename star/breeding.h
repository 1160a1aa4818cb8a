// What a search breeds: by its algorithm, and of several times as many proposals as are wanted
// those that a model chooses (star/screening.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "star/evolution.h"
#include "star/screening.h"
#include "star/search_settings.h"

namespace star::synthesis {

// Random genomes as they follow in the initial population on those that it begins with, other
// ones; fewer where the pool and depth have no more.
std::vector<Genome> random_genomes(const SearchSettings& settings, int count);

class Breeding {
 public:
  // Throws `Error` for settings that do not fit each other.
  Breeding(const SearchSettings& settings, const Pool& pool);

  // So many offspring, which follow `before` individuals; none once `interrupted` says so. `known`:
  // what there is to say of the population before a training is at its end, asked where a model
  // chooses.
  std::vector<Offspring> propose(int count, size_t before,
                                 const std::function<std::vector<Fitness>()>& known,
                                 const std::function<bool()>& interrupted);
  // The loss that the model expects; nothing where none chooses, or not yet.
  std::optional<double> expected(const std::string& genome);

  // What the genomes of a generation came to first (Screening::learn).
  struct FirstLoss {
    std::string genome;
    double loss;
  };
  void learn(const std::vector<FirstLoss>& losses);

  void tell(const std::vector<Result>& results) { evolution_.tell(results); }
  const std::vector<int>& population() const { return evolution_.population(); }

 private:
  const SearchSettings& settings_;
  Evolution evolution_;
  std::optional<Screening> screening_;
};

}  // namespace star::synthesis
