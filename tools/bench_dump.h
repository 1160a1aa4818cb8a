// One training step as a file, so that another program can be held to the same numbers.
#pragma once

#include <string>

#include "liv/backbone.h"
#include "star/data.h"

namespace star::cli {

// Runs forward and backward on the batch and writes, as safetensors:
//   __metadata__  genome  as given
//                 config  JSON: width, heads, vocab, seq, window
//   tokens, targets       [B, L], I32; a target of kIgnored is not counted
//   loss                  [1], F32: nats a counted target
//   NAME, grad.NAME       every parameter under its name in a checkpoint, and its gradient, F32
void dump_step(const std::string& path, Exec& exec, const Backbone& model, const Batch& batch,
               const std::string& genome);

}  // namespace star::cli
