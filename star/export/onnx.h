// A model as two ONNX graphs, prefill and one step of decoding (onnx_pass.h), with nodes written
// for the layers of this genome. Their weights stay in the checkpoint beside them, under the names
// that they have there.
#pragma once

#include <string>

#include "liv/backbone.h"
#include "star/checkpoint.h"
#include "star/export/onnx_pass.h"

namespace star::synthesis {

// The tensors of a safetensors file, which lies beside the model.
onnx::WeightTable onnx_weights(const std::string& path);

// The file of one of the graphs.
std::string onnx_model(const Backbone& model, const Checkpoint& about,
                       const onnx::WeightTable& weights, onnx::Reading reading);

// Whether a file begins as these do.
bool is_onnx_export(const std::string& bytes);

}  // namespace star::synthesis
