#pragma once

#include "liv/mixing.h"

namespace star::liv {

std::unique_ptr<TokenMixing> make_channel_recurrence(const Layout& layout);

}  // namespace star::liv
