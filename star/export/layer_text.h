// Layers in words, for whoever reads an exported program.
#pragma once

#include <string>
#include <vector>

#include "star/export/layer.h"

namespace star::synthesis {

// What the class of such a layer is called: "ConvolvedAttention", "GatedRecurrenceReusingA".
std::string layer_name(const ExportedLayer& layer);

// The lines of the docstring of a layer's class, the quotes included: its class in the genome, what
// it computes, the shapes, what it takes from and gives to other layers.
std::vector<std::string> layer_documentation(const ExportedLayer& layer);

}  // namespace star::synthesis
