// The program's own source text and READMEs, packed into it at build time: the default corpus.
#pragma once

#include "star/pack.h"

namespace star::synthesis {

std::vector<TextFile> source_text();

}  // namespace star::synthesis
