#include "star/measurement.h"

#include <malloc.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

#include "core/clock.h"
#include "core/rng.h"

namespace star::synthesis {
namespace {

constexpr int kPrefills = 5, kDecodedTokens = 100, kWarmUpTokens = 10;

// At rest for a tenth of a second, which no other process's turn on a device outlasts; waited for
// during two seconds or so.
constexpr int kQuietProbes = 50, kMostProbes = 1000;
constexpr std::chrono::milliseconds kBetweenProbes(2);

std::vector<int32_t> some_tokens(const Backbone& model, int64_t count) {
  Rng rng(0, "measurement");
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) token = int32_t(rng.below(uint32_t(model.sizes().vocab)));
  return tokens;
}

void feed(Tape& tape, Exec& exec, const Backbone& model, std::span<const int32_t> tokens,
          DecodingState& state) {
  model.forward(tape, exec.from({1, int64_t(tokens.size())}, tokens), &state);
  exec.wait();
}

// Milliseconds of `count` calls of f, after `warm_up` that do not count.
template <class F>
Measured latency_of(int warm_up, int count, const F& f) {
  std::vector<double> ms;
  for (int i = -warm_up; i < count; ++i) {
    double start = seconds_now();
    f();
    if (i >= 0) ms.push_back(1000 * (seconds_now() - start));
  }
  std::sort(ms.begin(), ms.end());
  auto quantile = [&](double q) { return ms[size_t(q * double(ms.size() - 1) + 0.5)]; };
  return {quantile(0.5), quantile(0.75) - quantile(0.25)};
}

// A line of /proc/self/status, in bytes.
int64_t memory_status(const char* name) {
  std::ifstream file("/proc/self/status");
  long long kib = -1;
  for (std::string line; std::getline(file, line);)
    if (line.rfind(name, 0) == 0 &&
        std::sscanf(line.c_str() + std::strlen(name), "%lld", &kib) == 1)
      return int64_t(kib) * 1024;
  fail("memory: /proc/self/status has no {}", name);
}

// From here on the peak is that of what follows (proc(5)).
void reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  require(bool(file), "memory: the system does not reset the peak of resident bytes");
}

}  // namespace

void pin_to_core() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(size_t(std::max(0, ::sched_getcpu())), &one);
  require(::sched_setaffinity(0, sizeof one, &one) == 0, "latency: the core cannot be kept: {}",
          std::strerror(errno));
}

bool comes_to_rest(const std::function<double()>& seconds_of_probe, int most_probes) {
  double shortest = seconds_of_probe();
  for (int quiet = 0, probe = 1; probe < most_probes; ++probe) {
    const double seconds = seconds_of_probe();
    shortest = std::min(shortest, seconds);
    quiet = seconds < 2 * shortest ? quiet + 1 : 0;
    if (quiet == kQuietProbes) return true;
  }
  return false;
}

void wait_for_rest(Exec& exec) {
  if (!exec.backend().memory) return;
  const Tensor probed = exec.empty({1}, DType::f32);
  comes_to_rest(
      [&] {
        std::this_thread::sleep_for(kBetweenProbes);
        const double start = seconds_now();
        exec.fill(probed, 0);
        exec.wait();
        return seconds_now() - start;
      },
      kMostProbes);
}

Measured measure_prefill(const MeasuringPlace& place) {
  const auto& [exec, model, context, before] = place;
  Tape tape(exec, false);
  std::vector<int32_t> tokens = some_tokens(model, context);
  return latency_of(1, kPrefills, [&] {
    DecodingState state;
    feed(tape, exec, model, tokens, state);
  });
}

Measured measure_decode(const MeasuringPlace& place) {
  const auto& [exec, model, context, before] = place;
  Tape tape(exec, false);
  std::vector<int32_t> tokens = some_tokens(model, context + 1);
  auto all = std::span<const int32_t>(tokens);
  DecodingState state;
  feed(tape, exec, model, all.first(size_t(context)), state);
  return latency_of(kWarmUpTokens, kDecodedTokens,
                    [&] { feed(tape, exec, model, all.last(1), state); });
}

int64_t resident_bytes() {
  ::malloc_trim(0);
  return memory_status("VmRSS:");
}

Measured measure_peak(const MeasuringPlace& place) {
  const auto& [exec, model, context, before] = place;
  Tape tape(exec, false);
  std::vector<int32_t> tokens = some_tokens(model, context);
  const bool device = exec.backend().memory != nullptr;
  if (!device) reset_peak();
  DecodingState state;
  for (const int32_t& token : tokens) feed(tape, exec, model, {&token, 1}, state);
  if (device) return {double(exec.arena().reserved_bytes())};
  return {double(memory_status("VmHWM:") - before)};
}

}  // namespace star::synthesis
