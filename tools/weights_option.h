// --weights: how a model keeps the weights of its linear maps for inference.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "liv/backbone.h"

namespace star::cli {

struct WeightsOption {
  std::string form = "float32";

  void declare(CLI::App& app) {
    app.add_option(
           "--weights", form,
           "Of linear maps, in memory: as trained, or in eight bits with a scale for each row")
        ->check(CLI::IsMember({"float32", "int8"}))
        ->capture_default_str();
  }
  void apply(Exec& exec, liv::Backbone& model) const {
    if (form == "int8") model.quantize(exec);
  }
};

}  // namespace star::cli
