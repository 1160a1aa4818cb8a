#include "tools/kernel_clock.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/clock.h"

namespace star::cli {
namespace {

std::tuple<Kernels<float>, Kernels<double>> timed_ones;

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

template <class F>
void run_timed(Exec& exec, Place place, const F& run) {
  const double begin = seconds_now();
  run();
  exec.wait();
  KernelTime& time = all_times[size_t(place)];
  time.seconds += seconds_now() - begin;
  ++time.calls;
}

#define KERNEL(name, Arguments)                             \
  template <class T>                                        \
  void timed_##name(Exec& exec, const Arguments<T>& args) { \
    const auto run = std::get<Kernels<T>>(timed_ones).name; \
    run_timed(exec, Place::name, [&] { run(exec, args); }); \
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
  timed_ones = {timed.f32, timed.f64};
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
