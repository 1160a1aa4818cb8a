#include "star/reference.h"

#include <algorithm>
#include <cmath>

#include "star/candidate.h"
#include "star/compiler.h"

namespace star::synthesis {

namespace {

Genome design_of(const SearchSettings& settings, const std::string& name) {
  return named_genome(at_depth(name, settings.max_depth));
}

}  // namespace

// The pool of the search may lack its classes, or mean others by them.
Metrics counted_of_design(const SearchSettings& settings, const std::string& name) {
  const Backbone model(nullptr, compile(design_of(settings, name), extended_pool()),
                       settings.sizes);
  return static_metrics(model, settings.cache_context);
}

std::optional<std::map<std::string, double>> reference_point(const SearchSettings& settings,
                                                             Workers& workers,
                                                             const Interrupt& interrupted) {
  const std::string transformer = "@transformer";
  Metrics point = counted_of_design(settings, transformer);
  const auto given = [&](auto& objective) { return settings.hv_reference.count(objective) > 0; };
  const std::vector<Objective> measured = measured_objectives(settings);
  if (!std::all_of(measured.begin(), measured.end(), given)) {
    auto outcome = workers.alone(
        {.measure = true, .genome = to_text(design_of(settings, transformer)), .pool = "extended"},
        interrupted);
    if (!outcome) return std::nullopt;
    Evaluation e = evaluation_of(*outcome);
    require(e.ok(), "search: the reference point, a Transformer, cannot be measured: {}",
            e.failure);
    point.merge(e.metrics);
  }
  for (auto& [name, value] : point) value *= 2;
  point[Objective::quality().name()] = std::log(double(settings.sizes.vocab));
  for (auto& [objective, value] : settings.hv_reference) point[objective.name()] = value;
  std::erase_if(point, [&](auto& entry) {
    return std::none_of(settings.objectives.begin(), settings.objectives.end(),
                        [&](auto& objective) { return objective.name() == entry.first; });
  });
  return point;
}

std::optional<std::vector<double>> reference_of_run(const SearchSettings& settings, RunFile& file,
                                                    Workers& workers,
                                                    const Interrupt& interrupted) {
  std::map<std::string, double> known = file.reference();
  if (known.empty()) {
    auto point = reference_point(settings, workers, interrupted);
    if (!point) return {};
    known = *point;
    file.record_reference(known);
  }
  std::vector<double> reference;
  for (auto& objective : settings.objectives) {
    require(known.count(objective.name()), "run file: the reference point lacks {}", objective);
    reference.push_back(known[objective.name()]);
  }
  return reference;
}

}  // namespace star::synthesis
