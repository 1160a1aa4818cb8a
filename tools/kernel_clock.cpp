#include "tools/kernel_clock.h"

#include <algorithm>
#include <array>

#include "core/clock.h"

namespace star::cli {
namespace {

const Backend* timed_backend = nullptr;

std::array all_times = {
#define KERNEL(name, Arguments) KernelTime{#name},
#include "core/kernels.def"
#undef KERNEL
};

enum class Place : size_t {
#define KERNEL(name, Arguments) name,
#include "core/kernels.def"
#undef KERNEL
};

template <class T>
const Kernels<T>& kernels_of(const Backend& backend) {
  if constexpr (sizeof(T) == 8)
    return backend.f64;
  else
    return backend.f32;
}

template <class T, class F>
void run_timed(Exec& exec, Place place, const F& run) {
  const double begin = seconds_now();
  run(kernels_of<T>(*timed_backend));
  exec.wait();
  KernelTime& time = all_times[size_t(place)];
  time.seconds += seconds_now() - begin;
  ++time.calls;
}

#define KERNEL(name, Arguments)                                            \
  template <class T>                                                       \
  void timed_##name(Exec& exec, const Arguments<T>& args) {                \
    run_timed<T>(exec, Place::name, [&](auto& k) { k.name(exec, args); }); \
  }
#include "core/kernels.def"
#undef KERNEL

template <class T>
Kernels<T> timed_kernels() {
  return {
#define KERNEL(name, Arguments) timed_##name<T>,
#include "core/kernels.def"
#undef KERNEL
  };
}

}  // namespace

KernelClock::KernelClock(const Backend& timed)
    : backend_{
          timed.name,   timed.target, timed.rates, timed_kernels<float>(), timed_kernels<double>(),
          timed.memory, nullptr} {
  timed_backend = &timed;
  reset();
}

void KernelClock::reset() {
  for (KernelTime& time : all_times) time = {time.kernel};
}

std::vector<KernelTime> KernelClock::times() const {
  std::vector<KernelTime> ran;
  std::copy_if(all_times.begin(), all_times.end(), std::back_inserter(ran),
               [](const KernelTime& time) { return time.calls > 0; });
  std::stable_sort(ran.begin(), ran.end(), [](auto& a, auto& b) { return a.seconds > b.seconds; });
  return ran;
}

}  // namespace star::cli
