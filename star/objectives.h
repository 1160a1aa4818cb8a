// What a search minimises, and the bounds it keeps (star/README.md).
#pragma once

#include <fmt/format.h>

#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/measurement.h"
#include "star/pareto.h"

namespace star::synthesis {

// Objectives under the names that the command line gives them, and other figures beside them.
using Metrics = std::map<std::string, double>;

// How people read a figure; the report has a text for each of these.
enum class Figure { real, count, bytes, milliseconds };

// What can be minimised, a row of the table in objectives.cpp. It is counted, which is known of a
// model before its training; or measured on a machine that it has to itself; or, of the quality
// alone, the loss that a training comes to.
struct ObjectiveRow {
  const char* name;
  const char* title;  // in the report, with the unit, if it has one
  const char* unit = "";
  Figure figure = Figure::real;
  double (*count)(const Backbone& model, int64_t cache_context) = nullptr;
  Measured (*measure)(const MeasuringPlace& place) = nullptr;
  bool at_tokens = false;      // measured at a number of tokens, which the name may say
  bool before_others = false;  // must be measured first: it sees what others leave behind
  bool is_other_name = false;  // of a quantity that another row measures
};

class Objective {
 public:
  // One of the names of the table, a latency with or without a context: "latency:decode@4096";
  // "latency" alone is that of decoding. Throws `Error` that begins with `option`.
  Objective(const std::string& name, const std::string& option = "objective");
  Objective(const char* name) : Objective(std::string(name)) {}

  // The loss, under the name that it has among metrics.
  static const Objective& quality();
  static const std::vector<ObjectiveRow>& rows();
  static std::vector<std::string> names();  // of the rows
  // Everything that is measured, once each, in the order in which it is to be measured.
  static std::vector<Objective> all_measured();
  // Whose value a metric is, or the spread of the value; nothing of other figures.
  static std::optional<Objective> of_metric(const std::string& name);

  const std::string& name() const { return name_; }  // as it was given, and as metrics are called
  std::string spread_name() const { return name_ + ":spread"; }
  const ObjectiveRow* operator->() const { return row_; }
  int64_t context() const { return context_; }  // 0: the cache context of the run
  bool counted() const { return row_->count != nullptr; }
  bool measured() const { return row_->measure != nullptr; }
  // One quantity, under whichever name.
  bool same_as(const Objective& other) const;

  bool operator==(const Objective& other) const { return name_ == other.name_; }
  auto operator<=>(const Objective& other) const { return name_ <=> other.name_; }

 private:
  std::string name_;
  const ObjectiveRow* row_;
  int64_t context_ = 0;
};

using Bounds = std::map<Objective, double>;

std::vector<std::string> names_of(const std::vector<Objective>& objectives);

// "quality,params": each known, none twice. Throws `Error`.
std::vector<Objective> parse_objectives(const std::string& text);
// Throws `Error` where a quantity stands twice.
void check_distinct(const std::vector<Objective>& objectives);

// "params=500000": a positive number for any objective. Throws `Error` that begins with `option`.
std::pair<Objective, double> parse_value(const std::string& text, const std::string& option);

// What is counted, and body_params.
Metrics static_metrics(const Backbone& model, int64_t cache_context);

// The objectives in order, and by how much the bounds are exceeded, each as a share of itself.
// Throws `Error` where a metric is missing.
Fitness fitness_of(const Metrics& metrics, const std::vector<Objective>& objectives,
                   const Bounds& bounds);

}  // namespace star::synthesis

template <>
struct fmt::formatter<star::synthesis::Objective> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const star::synthesis::Objective& objective, Context& context) const {
    return fmt::formatter<std::string_view>::format(objective.name(), context);
  }
};

// In JSON an objective is its name.
template <>
struct nlohmann::adl_serializer<star::synthesis::Objective> {
  template <class Json>
  static star::synthesis::Objective from_json(const Json& json) {
    return star::synthesis::Objective(json.template get<std::string>());
  }
  template <class Json>
  static void to_json(Json& json, const star::synthesis::Objective& objective) {
    json = objective.name();
  }
};
