#include "star/objectives.h"

#include <algorithm>
#include <cmath>

#include "core/number.h"

namespace star {
namespace {

const std::vector<std::pair<std::string, Objective::What>> kObjectives = {
    {"quality", Objective::quality},       {"params", Objective::params},
    {"cache", Objective::cache},           {"flops", Objective::flops},
    {"latency", Objective::decode},        {"latency:prefill", Objective::prefill},
    {"latency:decode", Objective::decode}, {"memory", Objective::memory}};

}  // namespace

std::vector<std::string> objective_names() {
  std::vector<std::string> names;
  for (auto& [name, what] : kObjectives) names.push_back(name);
  return names;
}

Objective parse_objective(const std::string& name, const std::string& option) {
  size_t at = name.find('@');
  std::string stem = name.substr(0, at);
  auto known = std::find_if(kObjectives.begin(), kObjectives.end(),
                            [&](auto& entry) { return entry.first == stem; });
  require(known != kObjectives.end(), "{}: unknown objective `{}`, must be one of {}", option, name,
          fmt::join(objective_names(), ", "));
  Objective objective{known->second};
  if (at == name.npos) return objective;
  constexpr int64_t kMost = int64_t(1) << 40;
  bool latency = objective.what == Objective::prefill || objective.what == Objective::decode;
  objective.context = read_number<int64_t>(name.substr(at + 1)).value_or(0);
  require(latency && objective.context >= 1 && objective.context <= kMost,
          "{}: `{}` is not a latency at a number of tokens, such as latency:decode@4096", option,
          name);
  return objective;
}

std::vector<std::string> parse_objectives(const std::string& text) {
  std::vector<std::string> names;
  std::vector<Objective> objectives;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    Objective objective = parse_objective(names.back(), "--objectives");
    require(std::find(objectives.begin(), objectives.end(), objective) == objectives.end(),
            "--objectives: `{}` stands twice", names.back());
    objectives.push_back(objective);
    begin = end + 1;
  }
  return names;
}

std::pair<std::string, double> parse_value(const std::string& text, const std::string& option) {
  size_t equals = text.find('=');
  require(equals != std::string::npos, "{}: `{}` is not of the form name=value", option, text);
  std::string name = text.substr(0, equals), number = text.substr(equals + 1);
  parse_objective(name, option);
  const double value = read_number<double>(number).value_or(0);
  require(value > 0 && value < HUGE_VAL, "{}: `{}` is not a positive number", option, number);
  return {name, value};
}

Metrics static_metrics(const Backbone& model, int64_t cache_context) {
  return {{"params", double(model.parameter_count())},
          {"body_params", double(model.body_parameter_count())},
          {"cache", double(model.cache_bytes(cache_context))},
          {"flops", model.training_flops()}};
}

Fitness fitness_of(const Metrics& metrics, const std::vector<std::string>& objectives,
                   const std::map<std::string, double>& bounds) {
  auto value = [&](const std::string& name) {
    auto metric = metrics.find(name);
    require(metric != metrics.end(), "search: a candidate has no value of {}", name);
    return metric->second;
  };
  Fitness fitness;
  for (auto& name : objectives) fitness.objectives.push_back(value(name));
  for (auto& [name, bound] : bounds) fitness.violation += std::max(0.0, value(name) / bound - 1);
  return fitness;
}

}  // namespace star
