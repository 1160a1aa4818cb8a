#include "star/export/onnx.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/safetensors.h"
#include "star/export/layer.h"
#include "star/export/onnx_layer.h"
#include "star/export/onnx_pieces.h"

namespace star::synthesis {
namespace {

using onnx::Builder;
using onnx::Pass;
using onnx::Reading;
using onnx::Value;

constexpr const char* kProducer = "star";

Value norm(Builder& g, const Value& u, const std::string& weight) {
  const Builder::Scope scope(g, "norm");
  return onnx::rms_norm(g, u, g.weight(weight));
}

Value residual_stream(Builder& g, Pass& pass, const Backbone& model, Value h) {
  const std::vector<ExportedLayer> layers = exported_layers(model);
  for (const ExportedLayer& layer : layers)
    if (layer.rotary) pass.positions();  // the first of the states
  onnx::GivenFeatures given;
  Value read = h;
  for (int l = 0; l < int(layers.size()); ++l) {
    const ExportedLayer& layer = layers[size_t(l)];
    if (!layer.parallel) read = h;
    const Builder::Scope block(g, fmt::format("blocks.{}", l));
    const Value x = norm(g, read, fmt::format("blocks.{}.norm.weight", l));
    const Builder::Scope liv(g, "liv");
    h = g.add(h, onnx::layer_nodes(g, pass, layer, l, model.sizes(), x, given));
  }
  return h;
}

std::string description(Reading reading) {
  return reading == Reading::prefill
             ? "Logits of whole sequences, and the states that step.onnx takes"
             : "Logits of one more token after the states that prefill.onnx or a step has given";
}

}  // namespace

onnx::WeightTable onnx_weights(const std::string& path) {
  const SafeTensors file = SafeTensors::open(path);
  onnx::WeightTable table;
  // The arrays tile the end of the file.
  int64_t offset = int64_t(std::filesystem::file_size(path));
  for (const TensorView& view : file.tensors()) offset -= int64_t(view.bytes.size());
  for (const TensorView& view : file.tensors()) {
    require(view.dtype == "F32", "{}: tensor {} is {}, not F32", path, view.name, view.dtype);
    onnx::TensorProto tensor{.name = view.name, .dims = view.shape, .raw = {}, .location = {}};
    tensor.location = std::filesystem::path(path).filename();
    tensor.offset = offset;
    tensor.length = int64_t(view.bytes.size());
    offset += tensor.length;
    table[view.name] = std::move(tensor);
  }
  return table;
}

std::string onnx_model(const Backbone& model, const Checkpoint& about,
                       const onnx::WeightTable& weights, Reading reading) {
  Builder g(weights);
  Pass pass(g, reading);
  const Value embedded = g.op("Gather", {g.weight("embed.weight"), pass.tokens()});
  const Value h = norm(g, residual_stream(g, pass, model, embedded), "norm.weight");
  const Value logits = g.matmul(h, g.transposed_weight("embed.weight"));
  g.output(logits, {"logits", onnx::Type::float32, pass.logits_shape(model.sizes().vocab)});
  pass.finish();

  onnx::ModelProto file{
      .producer = kProducer, .version = STAR_VERSION, .metadata = {}, .graph = {}};
  file.metadata = {{"genome", about.genome},
                   {"format", checkpoint_format(about)},
                   {"config", sizes_json(model.sizes()).dump()}};
  if (!about.pool.empty()) file.metadata.emplace_back("pool", about.pool);
  file.graph = g.finish(reading == Reading::prefill ? "prefill" : "step", description(reading));
  return onnx::to_bytes(file);
}

bool is_onnx_export(const std::string& bytes) { return onnx::made_by(kProducer, bytes); }

}  // namespace star::synthesis
