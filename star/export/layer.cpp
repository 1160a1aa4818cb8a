#include "star/export/layer.h"

#include <algorithm>

namespace star::synthesis {
namespace {

ExportedFeature exported_feature(const Layout& layout, const FeatureGroup& g) {
  ExportedFeature f;
  f.role = g.role;
  f.name = text_of(g.role);
  f.projection = g.projection();
  f.activation = g.activation();
  f.taps = g.taps();
  f.biased = has_bias(f.activation);
  f.channels = layout.width_of(g);
  f.reads = reads(g.role);
  f.writes = writes(g.role);
  f.in_parts = makes_map(g.role);
  return f;
}

// Of the low-rank projections of an operator; 0 where it has none.
int64_t rank_of(const Operator& op) {
  for (auto& p : op.parameters(1))
    if (p.key.piece == Piece::a_weight) return p.shape[0];
  return 0;
}

ExportedLayer exported_layer(const Operator& op, bool parallel) {
  const Layout& layout = op.layout();
  const LivClass& liv = op.liv();
  ExportedLayer layer;
  layer.id = std::string(1, liv.id);
  layer.name = liv.name;
  layer.op = digits_text(liv.op.digits);
  layer.mixing = liv.op.mixing();
  layer.entries = liv.op.entries();
  layer.banded = liv.op.sparsity() == Sparsity::banded;
  layer.grouped = layout.grouped();
  layer.rotary = rotary(liv.op);
  layer.differential = liv.differential;
  layer.parallel = parallel;
  layer.width = layout.sizes.width;
  layer.heads = layout.sizes.heads;
  layer.kv_heads = layout.kv_heads();
  layer.head_width = layout.head_width();
  layer.states = layout.states();
  layer.inner = layout.inner();
  layer.rank = rank_of(op);
  for (const FeatureGroup& g : liv.groups) layer.features.push_back(exported_feature(layout, g));
  return layer;
}

template <class Test>
const ExportedFeature* first_of(const std::vector<ExportedFeature>& features, Test test) {
  const auto at = std::find_if(features.begin(), features.end(), test);
  return at == features.end() ? nullptr : &*at;
}

}  // namespace

const ExportedFeature* ExportedLayer::feature(Role role) const {
  return first_of(features, [&](const ExportedFeature& f) { return f.role == role; });
}

const ExportedFeature* ExportedLayer::reader() const {
  return first_of(features, [](const ExportedFeature& f) { return f.reads; });
}

const ExportedFeature* ExportedLayer::writer() const {
  return first_of(features, [](const ExportedFeature& f) { return f.writes; });
}

std::vector<ExportedLayer> exported_layers(const Backbone& model) {
  std::vector<ExportedLayer> layers;
  for (int l = 0; l < int(model.blocks().size()); ++l) {
    const Block& block = model.blocks()[size_t(l)];
    ExportedLayer layer = exported_layer(model.liv(l), block.parallel);
    for (size_t g = 0; g < block.sources.size(); ++g) {
      const FeatureSource& source = block.sources[g];
      if (source.feature != l) {
        layer.features[g].donor = source.feature;
        layers[size_t(source.feature)].features[g].given = true;
      } else if (source.weights != l) {
        layer.features[g].lender = source.weights;
      }
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace star::synthesis
