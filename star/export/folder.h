// The folder that an export writes.
#pragma once

#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/checkpoint.h"

namespace star::synthesis {

// The paths in `folder` of what export_pytorch writes: model.safetensors, model.py, config.json,
// modeling_star.py.
std::vector<std::string> exported_paths(const std::string& folder);

// Throws `Error` where `folder` is there and no folder, or holds a file of such a name but no
// model.py that an export wrote: what it holds is then somebody else's.
void require_own_or_new_folder(const std::string& folder);

// Makes the folder where it is not there. Each file appears whole or not at all; a folder that was
// made goes again when something cannot be written. Errors are those of core/file.h.
void export_pytorch(const std::string& folder, Exec& exec, const Backbone& model,
                    const Checkpoint& about);

}  // namespace star::synthesis
