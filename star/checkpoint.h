// A trained model as a file: safetensors, float32, with the genome and the sizes in its metadata
// (liv/README.md).
//
//   __metadata__  format  "star-checkpoint/2"
//                 genome  canonical text, in terms of the extended pool
//                 config  JSON: width, heads, vocab, seq, window, and `training`, how it was made
//                 tokenizer  where it was trained on text by one: its tokenizer.json
//   tensors       every parameter by name, a shared one once
//
// The model of a user's pool is written as one of the extended pool with overrides, so that nothing
// else is needed to read it. Where that is impossible, since no class has such feature groups, the
// format is "star-checkpoint/2+pool" and `pool` in the metadata is the text of the genome's pool.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/safetensors.h"
#include "liv/backbone.h"
#include "star/genome.h"

namespace star::synthesis {

struct Checkpoint {
  std::string genome;             // canonical text
  std::string training = "null";  // JSON: how it was trained
  std::string pool = {};          // the text of the genome's pool; empty for the extended one
  std::string tokenizer = {};     // its text (star/tokenizer_file.h); empty: none
};

// What a checkpoint says of a valid genome of `pool`.
Checkpoint checkpoint_of(const Genome& genome, const Pool& pool,
                         const std::string& training = "null");

// As `config` has them, and back: `name` is what the Error calls a text that lacks one.
nlohmann::json sizes_json(const Sizes& sizes);
Sizes sizes_of(const nlohmann::json& config, const std::string& name);

// As the metadata of its file says it.
std::string checkpoint_format(const Checkpoint& about);

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

// The same from an open file; `path` is what errors call it.
LoadedModel load_checkpoint(const SafeTensors& file, const std::string& path, Exec& exec,
                            DType dtype = DType::f32);

}  // namespace star::synthesis
