// A model as a program for PyTorch: one file of Python, written for this genome, whose parameters
// are called as those of a checkpoint are, so that a checkpoint is its weights as it is.
#pragma once

#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/checkpoint.h"

namespace star::synthesis {

// model.py. It needs torch and safetensors.
std::string pytorch_program(const Backbone& model, const Checkpoint& about);

// config.json, by which transformers finds modeling_star.py.
std::string transformers_config(const Backbone& model, const Checkpoint& about);

}  // namespace star::synthesis
