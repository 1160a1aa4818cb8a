#include "star/reference.h"

#include <algorithm>
#include <cmath>

#include "star/candidate.h"
#include "star/compiler.h"

namespace star {

std::optional<std::map<std::string, double>> reference_point(const SearchSettings& settings,
                                                             Workers& workers,
                                                             const Interrupt& interrupted) {
  const Genome transformer = named_genome(fmt::format("@transformer:{}", settings.max_depth));
  const Backbone model(nullptr, compile(transformer, extended_pool()), settings.sizes);
  std::map<std::string, double> point = static_metrics(model, settings.cache_context);
  const auto given = [&](auto& name) { return settings.hv_reference.count(name) > 0; };
  const std::vector<std::string> measured = measured_names(settings);
  if (!std::all_of(measured.begin(), measured.end(), given)) {
    auto outcome = workers.alone(to_text(Request{.measure = true, .genome = to_text(transformer)}),
                                 interrupted);
    if (!outcome) return std::nullopt;
    Evaluation e = evaluation_of(*outcome);
    require(e.ok(), "search: the reference point, a Transformer, cannot be measured: {}",
            e.failure);
    point.merge(e.metrics);
  }
  for (auto& [name, value] : point) value *= 2;
  point["quality"] = std::log(double(settings.sizes.vocab));
  for (auto& [name, value] : settings.hv_reference) point[name] = value;
  std::erase_if(point, [&](auto& entry) {
    auto& all = settings.objectives;
    return std::find(all.begin(), all.end(), entry.first) == all.end();
  });
  return point;
}

}  // namespace star
