// What products of matrices read of a number in training, by its name (core/math.h).
#pragma once

#include "core/math.h"
#include "star/named.h"

namespace star::synthesis {

struct MathRow {
  const char* name;
  Math math;

  static const std::vector<MathRow>& rows();
  [[noreturn]] static void refuse(std::string_view name);
};

using MathName = Named<MathRow>;

}  // namespace star::synthesis
