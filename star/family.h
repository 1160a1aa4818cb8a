// The families of operators that people know by name.
#pragma once

#include "liv/pool.h"

namespace star::synthesis {

enum class Family { attention, linear_attention, convolution, recurrence, memoryless };

Family family_of(const LivClass& liv);
const char* name_of(Family family);  // "linear attention"

}  // namespace star::synthesis
