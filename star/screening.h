// Screening: of several times as many proposals as are wanted, those are trained that a model of
// all results so far (star/surrogate.h) expects most of, and some by lot, so that the model meets
// what it would not have chosen.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/rng.h"
#include "star/objectives.h"
#include "star/search_settings.h"
#include "star/surrogate.h"

namespace star::synthesis {

class Screening {
 public:
  explicit Screening(const SearchSettings& settings);

  // What a genome came to: its loss at the first rung, or its quality where there are none.
  void learn(const std::string& genome, double loss);
  // By all that was learnt. Fewer results than the model has features are not enough.
  void fit();

  // Before that all would be by lot: as many proposals as are wanted do.
  bool ready() const { return model_.has_value(); }

  // NaN of a genome that does not fit the sizes.
  double predict(const std::string& genome);

  // Places of `count` proposals, ascending: a fifth by lot (a rest that is no whole place by lot
  // too), the others the best by predicted loss and by what is known without training, ranked
  // together with the population as at a rung (star/promotion.h).
  std::vector<size_t> choose(const std::vector<std::string>& proposals, size_t count,
                             const std::vector<Fitness>& population, Rng rng);

 private:
  struct Known {
    std::vector<double> features;  // none of a genome that does not fit the sizes
    Metrics metrics;               // static
  };
  const Known& known(const std::string& genome);

  const SearchSettings& settings_;
  const Pool pool_;
  std::map<std::string, Known> known_;
  std::vector<std::vector<double>> rows_;
  std::vector<double> losses_;
  std::optional<Ridge> model_;
};

}  // namespace star::synthesis
