#include "star/math.h"

#include "core/error.h"

namespace star::synthesis {

const std::vector<MathRow>& MathRow::rows() {
  static const std::vector<MathRow> rows = {
      {"fp32", Math::fp32}, {"tf32", Math::tf32}, {"bf16", Math::bf16}};
  return rows;
}

void MathRow::refuse(std::string_view name) {
  fail("there is no math `{}`; there are {}", name, fmt::join(MathName::names(), ", "));
}

}  // namespace star::synthesis
