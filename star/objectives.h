// What a search minimises, and the bounds it keeps (star/README.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/pareto.h"

namespace star {

// Objectives under the names that the command line gives them, and other figures beside them.
using Metrics = std::map<std::string, double>;

struct Objective {
  enum What { quality, params, cache, flops, prefill, decode, memory };
  What what;
  int64_t context = 0;  // tokens at which a latency is measured; 0: the cache context of the run

  bool measured() const { return what >= prefill; }  // on a machine (star/measurement.h)
  bool operator==(const Objective&) const = default;
};

// "quality", "params", "cache", "flops", "latency", "latency:prefill", "latency:decode", "memory".
std::vector<std::string> objective_names();

// One of these names, a latency with or without a context: "latency:decode@4096". "latency" alone
// is that of decoding. Throws `Error` that begins with `option`.
Objective parse_objective(const std::string& name, const std::string& option);

// "quality,params": each known, none twice. Throws `Error`.
std::vector<std::string> parse_objectives(const std::string& text);

// "params=500000": a positive number for any objective. Throws `Error` that begins with `option`.
std::pair<std::string, double> parse_value(const std::string& text, const std::string& option);

// What is known of a model without running it: params, body_params, cache (bytes at the context),
// flops (training, a token).
Metrics static_metrics(const Backbone& model, int64_t cache_context);

// The objectives in order, and by how much the bounds are exceeded, each as a share of itself.
// Throws `Error` where a metric is missing.
Fitness fitness_of(const Metrics& metrics, const std::vector<std::string>& objectives,
                   const std::map<std::string, double>& bounds);

}  // namespace star
