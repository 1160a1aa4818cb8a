// Chooses the instruction set when the program starts.
#include "cpu/cpu.h"

#include <cstdlib>
#include <string_view>

#include "cpu/rates.h"

extern "C" char* openblas_get_corename();

namespace star {
namespace cpu {

#define STAR_CPU_TARGET(target, supported) \
  namespace target {                       \
  extern const Backend backend;            \
  }
#include "cpu/targets.def"
#undef STAR_CPU_TARGET

namespace {

struct Target {
  const Backend* backend;
  bool supported;
};

// From the widest to the narrowest.
std::vector<Target> targets() {
  return {
#define STAR_CPU_TARGET(target, supported) {&target::backend, bool(supported)},
#include "cpu/targets.def"
#undef STAR_CPU_TARGET
  };
}

}  // namespace
}  // namespace cpu

std::vector<const Backend*> cpu_backends() {
  std::vector<const Backend*> out;
  for (auto& target : cpu::targets())
    if (target.supported) out.push_back(target.backend);
  return out;
}

const Backend& cpu_backend() {
  const char* wanted = std::getenv("STAR_CPU_TARGET");
  for (const Backend* backend : cpu_backends())
    if (!wanted || std::string_view(wanted) == backend->target) return *backend;
  if (wanted) fail("STAR_CPU_TARGET: this program or this processor has no target {}", wanted);
  fail("this processor lacks x86-64-v2 (SSE 4.2)");
}

const Rates& cpu_rates() { return cpu::kRates; }

const char* blas_core() { return openblas_get_corename(); }

}  // namespace star
