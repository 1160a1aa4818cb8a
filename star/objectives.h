// What a search minimises, and the bounds it keeps (star/README.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/pareto.h"

namespace star {

using Metrics = std::map<std::string, double>;

// "quality", "params", "cache", "flops".
std::vector<std::string> objective_names();

// "quality,params": each known, none twice. Throws `Error`.
std::vector<std::string> parse_objectives(const std::string& text);

// "params=500000", for any of the objectives. Throws `Error`.
std::pair<std::string, double> parse_bound(const std::string& text);

// What is known of a model without running it: params, body_params, cache (bytes at the context),
// flops (training, a token).
Metrics static_metrics(const Backbone& model, int64_t cache_context);

// The objectives in order, and by how much the bounds are exceeded, each as a share of itself.
Fitness fitness_of(const Metrics& metrics, const std::vector<std::string>& objectives,
                   const std::map<std::string, double>& bounds);

}  // namespace star
