// The kernel cases run on every instruction set, and one can be chosen.
#include <cstdlib>
#include <optional>

#include "cpu/cpu.h"
#include "tests/kernels/cases.h"

using namespace star;

std::vector<Place> star::places() {
  std::vector<Place> all;
  // More threads than cores are slow, and once is enough.
  for (const Backend* backend : cpu_backends()) all.push_back({backend, all.empty() ? 3 : 2});
  return all;
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
