#include "star/objectives.h"

#include <algorithm>
#include <charconv>

namespace star {
namespace {

void check_objective(const std::string& name, const std::string& where) {
  auto names = objective_names();
  require(std::find(names.begin(), names.end(), name) != names.end(),
          "{}: unknown objective `{}`, must be one of {}", where, name, fmt::join(names, ", "));
}

}  // namespace

std::vector<std::string> objective_names() { return {"quality", "params", "cache", "flops"}; }

std::vector<std::string> parse_objectives(const std::string& text) {
  std::vector<std::string> objectives;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    check_objective(name, "--objectives");
    require(std::find(objectives.begin(), objectives.end(), name) == objectives.end(),
            "--objectives: `{}` stands twice", name);
    objectives.push_back(name);
    begin = end + 1;
  }
  return objectives;
}

std::pair<std::string, double> parse_bound(const std::string& text) {
  size_t equals = text.find('=');
  require(equals != std::string::npos, "--max: `{}` is not of the form name=value", text);
  std::string name = text.substr(0, equals), value = text.substr(equals + 1);
  check_objective(name, "--max");
  double bound = 0;
  auto [stop, code] = std::from_chars(value.data(), value.data() + value.size(), bound);
  require(code == std::errc() && stop == value.data() + value.size() && bound > 0,
          "--max: `{}` is not a positive number", value);
  return {name, bound};
}

Metrics static_metrics(const Backbone& model, int64_t cache_context) {
  return {{"params", double(model.parameter_count())},
          {"body_params", double(model.body_parameter_count())},
          {"cache", double(model.cache_bytes(cache_context))},
          {"flops", model.training_flops()}};
}

Fitness fitness_of(const Metrics& metrics, const std::vector<std::string>& objectives,
                   const std::map<std::string, double>& bounds) {
  Fitness fitness;
  for (auto& name : objectives) fitness.objectives.push_back(metrics.at(name));
  for (auto& [name, bound] : bounds)
    fitness.violation += std::max(0.0, metrics.at(name) / bound - 1);
  return fitness;
}

}  // namespace star
