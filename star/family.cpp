#include "star/family.h"

#include "core/error.h"

namespace star {

Family family_of(const LivClass& liv) {
  switch (liv.op.mixing()) {
    case Mixing::diagonal:
      return Family::memoryless;
    case Mixing::low_rank:
      return linear_in_keys(liv.op.entries()) ? Family::linear_attention : Family::attention;
    case Mixing::toeplitz:
      return Family::convolution;
    case Mixing::semi_separable:
      return Family::recurrence;
  }
  fail("token mixing {} has no name", int(liv.op.mixing()));
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
