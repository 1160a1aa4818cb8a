// A trained model as a file: safetensors, float32, with the genome and the sizes in its metadata
// (liv/README.md).
//
//   __metadata__  format  "star-checkpoint/1"
//                 genome  canonical text
//                 config  JSON: width, heads, vocab, seq, window, and `training`, how it was made
//   tensors       every parameter by name, a shared one once
#pragma once

#include <memory>
#include <string>

#include "liv/backbone.h"

namespace star {

struct Checkpoint {
  std::string genome;             // canonical text
  std::string training = "null";  // JSON: how it was trained
};

// The file appears whole or not at all.
void save_checkpoint(const std::string& path, Exec& exec, const Backbone& model,
                     const Checkpoint& about);

struct LoadedModel {
  std::unique_ptr<Backbone> model;
  Checkpoint about;
};

// Throws `Error` that names the file and what is wrong with it: no checkpoint of this format, a bad
// genome or config, a tensor that is missing, too many, or of another shape or type.
LoadedModel load_checkpoint(const std::string& path, Exec& exec, DType dtype = DType::f32);

}  // namespace star
