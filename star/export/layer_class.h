// The Python class of a layer.
#pragma once

#include <string>
#include <vector>

#include "star/export/layer.h"

namespace star::synthesis {

// The text of the classes that compute such a layer, two of a differential one, the last being the
// layer itself. The name of a class stands as `kClassName`. Layers with equal texts are of one
// kind: nothing in it says where in the model the layer stands.
inline constexpr const char* kClassName = "@class@";
std::string layer_class(const ExportedLayer& layer);

// What forward takes beside x and state, and returns beside y, in this order: the features that are
// reused and given, as "k" or, one a part, "k0", "k1".
std::vector<std::string> feature_arguments(const ExportedFeature& feature, bool differential);

// The name by which forward takes the layer that owns the weights of a feature: "lender", or with
// several such layers "q_lender".
std::string lender_argument(const ExportedLayer& layer, const ExportedFeature& feature);

}  // namespace star::synthesis
