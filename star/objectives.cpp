#include "star/objectives.h"

#include <algorithm>
#include <cmath>

#include "core/number.h"

namespace star::synthesis {
namespace {

double params(const Backbone& model, int64_t) { return double(model.parameter_count()); }
double cache(const Backbone& model, int64_t context) { return double(model.cache_bytes(context)); }
double flops(const Backbone& model, int64_t) { return model.training_flops(); }

const ObjectiveRow* row_of(const std::string& stem) {
  for (auto& row : Objective::rows())
    if (stem == row.name) return &row;
  return nullptr;
}

}  // namespace

const std::vector<ObjectiveRow>& Objective::rows() {
  static const std::vector<ObjectiveRow> kRows = {
      {.name = "quality", .title = "Quality", .unit = "nats a target"},
      {.name = "params", .title = "Parameters", .figure = Figure::count, .count = params},
      {.name = "cache", .title = "Cache", .figure = Figure::bytes, .count = cache},
      {.name = "flops",
       .title = "FLOPs",
       .unit = "a token",
       .figure = Figure::count,
       .count = flops},
      {.name = "latency",
       .title = "Latency",
       .unit = "ms",
       .figure = Figure::milliseconds,
       .measure = measure_decode,
       .at_tokens = true,
       .is_other_name = true},
      {.name = "latency:prefill",
       .title = "Latency",
       .unit = "ms",
       .figure = Figure::milliseconds,
       .measure = measure_prefill,
       .at_tokens = true},
      {.name = "latency:decode",
       .title = "Latency",
       .unit = "ms",
       .figure = Figure::milliseconds,
       .measure = measure_decode,
       .at_tokens = true},
      // What a prefill takes is not given back.
      {.name = "memory",
       .title = "Memory",
       .figure = Figure::bytes,
       .measure = measure_peak,
       .before_others = true},
  };
  return kRows;
}

const Objective& Objective::quality() {
  static const Objective kQuality("quality");
  return kQuality;
}

std::vector<std::string> Objective::names() {
  std::vector<std::string> names;
  for (auto& row : rows()) names.push_back(row.name);
  return names;
}

std::vector<Objective> Objective::all_measured() {
  std::vector<Objective> all;
  for (auto& row : rows())
    if (row.measure && !row.is_other_name) all.push_back(Objective(row.name));
  std::stable_partition(all.begin(), all.end(), [](auto& o) { return o->before_others; });
  return all;
}

std::optional<Objective> Objective::of_metric(const std::string& name) {
  const std::string suffix = ":spread";
  const std::string whose =
      name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
  const ObjectiveRow* row = row_of(whose.substr(0, whose.find('@')));
  return row ? std::optional(Objective(whose)) : std::nullopt;
}

Objective::Objective(const std::string& name, const std::string& option) : name_(name) {
  const size_t at = name.find('@');
  row_ = row_of(name.substr(0, at));
  require(row_ != nullptr, "{}: unknown objective `{}`, must be one of {}", option, name,
          fmt::join(names(), ", "));
  if (at == name.npos) return;
  constexpr int64_t kMost = int64_t(1) << 40;
  context_ = read_number<int64_t>(name.substr(at + 1)).value_or(0);
  require(row_->at_tokens && context_ >= 1 && context_ <= kMost,
          "{}: `{}` is not a latency at a number of tokens, such as latency:decode@4096", option,
          name);
}

bool Objective::same_as(const Objective& other) const {
  const bool same = row_ == other.row_ || (row_->measure && row_->measure == other.row_->measure);
  return same && context_ == other.context_;
}

std::vector<std::string> names_of(const std::vector<Objective>& objectives) {
  std::vector<std::string> names;
  for (auto& objective : objectives) names.push_back(objective.name());
  return names;
}

std::vector<Objective> parse_objectives(const std::string& text) {
  std::vector<Objective> objectives;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    objectives.emplace_back(text.substr(begin, end - begin), "--objectives");
    begin = end + 1;
  }
  check_distinct(objectives);
  return objectives;
}

void check_distinct(const std::vector<Objective>& objectives) {
  for (size_t i = 0; i < objectives.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      require(!objectives[i].same_as(objectives[j]), "--objectives: `{}` stands twice",
              objectives[i]);
}

std::pair<Objective, double> parse_value(const std::string& text, const std::string& option) {
  size_t equals = text.find('=');
  require(equals != std::string::npos, "{}: `{}` is not of the form name=value", option, text);
  const Objective objective(text.substr(0, equals), option);
  const std::string number = text.substr(equals + 1);
  const double value = read_number<double>(number).value_or(0);
  require(value > 0 && value < HUGE_VAL, "{}: `{}` is not a positive number", option, number);
  return {objective, value};
}

Metrics static_metrics(const Backbone& model, int64_t cache_context) {
  Metrics metrics = {{"body_params", double(model.body_parameter_count())}};
  for (auto& row : Objective::rows())
    if (row.count) metrics[row.name] = row.count(model, cache_context);
  return metrics;
}

Fitness fitness_of(const Metrics& metrics, const std::vector<Objective>& objectives,
                   const Bounds& bounds) {
  auto value = [&](const Objective& objective) {
    auto metric = metrics.find(objective.name());
    require(metric != metrics.end(), "search: a candidate has no value of {}", objective);
    return metric->second;
  };
  Fitness fitness;
  for (auto& objective : objectives) fitness.objectives.push_back(value(objective));
  for (auto& [objective, bound] : bounds)
    fitness.violation += std::max(0.0, value(objective) / bound - 1);
  return fitness;
}

}  // namespace star::synthesis
