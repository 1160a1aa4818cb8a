#include "star/family.h"

#include "core/error.h"

namespace star {

Family family_of(const LivClass& liv) {
  switch (liv.op.token_mixing()) {
    case 1:
      return Family::memoryless;
    case 2:
      // Scores that are none or only normalised leave T(x) v linear in the keys.
      return liv.op.nonlinearity() == 1 || liv.op.nonlinearity() == 5 ? Family::linear_attention
                                                                      : Family::attention;
    case 3:
      return Family::convolution;
    case 4:
      return Family::recurrence;
  }
  fail("token mixing {} has no name", liv.op.token_mixing());
}

const char* name_of(Family family) {
  switch (family) {
    case Family::attention:
      return "attention";
    case Family::linear_attention:
      return "linear attention";
    case Family::convolution:
      return "convolution";
    case Family::recurrence:
      return "recurrence";
    case Family::memoryless:
      return "memoryless";
  }
  fail("a family without a name");
}

}  // namespace star
