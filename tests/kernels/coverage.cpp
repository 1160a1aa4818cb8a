#include "tests/kernels/cases.h"

using namespace star;

TEST_CASE("every kernel of the list has a case") {
  std::set<std::string> listed;
#define KERNEL(name, Arguments) listed.insert(#name);
#include "core/kernels.def"
#undef KERNEL
  for (auto& name : listed) {
    CAPTURE(name);
    CHECK(covered_kernels().count(name) == 1);
  }
  CHECK(covered_kernels().size() == listed.size());
}
