// Semi-separable token mixing whose state is a matrix a head.
#pragma once

#include "liv/mixing.h"

namespace star::liv {

std::unique_ptr<TokenMixing> make_matrix_recurrence(const Layout& layout);

}  // namespace star::liv
