// The nodes of an ONNX graph that compute a layer.
#pragma once

#include <array>
#include <map>

#include "liv/layout.h"
#include "star/export/layer.h"
#include "star/export/onnx_pass.h"

namespace star::synthesis::onnx {

// What layers have computed that later ones take, as finally used: by layer, role and part.
using GivenFeatures = std::map<std::array<int, 3>, Value>;

// y of the layer, the l-th, of x; both [B, L, d]. `given` has what it takes of the layers before it,
// and then what it gives.
Value layer_nodes(Builder& builder, Pass& pass, const ExportedLayer& layer, int l,
                  const Sizes& sizes, const Value& x, GivenFeatures& given);

}  // namespace star::synthesis::onnx
