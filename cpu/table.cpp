// The dispatch table of one instruction set.
#include "cpu/backend.h"
#include "cpu/rates.h"

#define STAR_TEXT_(x) #x
#define STAR_TEXT(x) STAR_TEXT_(x)

namespace star::cpu::STAR_TARGET {

template <class T>
constexpr Kernels<T> kernels_of() {
  return {
#define KERNEL(name, Arguments) &name<T>,
#include "core/kernels.def"
#undef KERNEL
  };
}

extern const Backend backend;
const Backend backend{"cpu", STAR_TEXT(STAR_TARGET), kRates, kernels_of<float>(),
                      kernels_of<double>()};

}  // namespace star::cpu::STAR_TARGET
