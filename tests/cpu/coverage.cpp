// Every kernel has a case, and the instruction set can be chosen.
#include <cstdlib>
#include <optional>

#include "tests/cpu/cases.h"

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

TEST_CASE("STAR_CPU_TARGET chooses the instruction set") {
  const char* before = std::getenv("STAR_CPU_TARGET");
  std::optional<std::string> kept;
  if (before) kept = before;
  std::vector<const Backend*> all = cpu_backends();
  REQUIRE(!all.empty());
  for (const Backend* backend : all) {
    setenv("STAR_CPU_TARGET", backend->target, 1);
    CHECK(&cpu_backend() == backend);
  }
  setenv("STAR_CPU_TARGET", "abacus", 1);
  CHECK_THROWS_WITH_AS(cpu_backend(), doctest::Contains("abacus"), Error);
  unsetenv("STAR_CPU_TARGET");
  CHECK(&cpu_backend() == all.front());
  if (kept) setenv("STAR_CPU_TARGET", kept->c_str(), 1);
}
