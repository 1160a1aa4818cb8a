// What is measured is compared with what can be counted; times are only seen to be there.
#include "star/measurement.h"

#include <doctest/doctest.h>
#include <sched.h>

#include "core/error.h"
#include "cpu/cpu.h"
#include "star/compiler.h"
#include "star/executor.h"

using namespace star;

using namespace star::synthesis;

namespace {

constexpr Sizes kSizes = {.width = 64, .heads = 2, .vocab = 64, .seq = 64};

// In a process of its own, as a measurement wants it.
double measured(const std::string& genome, const std::function<double(Exec&, Backbone&)>& what) {
  WorkerPool pool({});
  pool.start(0, [&] {
    Exec exec(cpu_backend(), 1);
    Pool classes = extended_pool();
    Backbone model(&exec, compile(parse(genome, classes), classes), kSizes, DType::f32, 1);
    return fmt::format("{}", what(exec, model));
  });
  Outcome outcome = pool.wait().outcome;
  REQUIRE_MESSAGE(outcome.ok(), outcome.failure);
  return std::stod(outcome.result);
}

// Bytes at the peak of decoding `context` tokens.
struct Peak {
  double resident;  // beyond those before, as the system counts
  double reserved;  // by the arena
};

Peak peak_of(const std::string& genome, int64_t context) {
  auto of = [&](const std::function<double(Exec&, double resident)>& which) {
    return measured(genome, [&](Exec& exec, Backbone& model) {
      return which(exec, measure_peak({exec, model, context, resident_bytes()}).value);
    });
  };
  return {of([](Exec&, double resident) { return resident; }),
          of([](Exec& exec, double) { return double(exec.arena().reserved_bytes()); })};
}

}  // namespace

TEST_CASE("measurement: the peak of decoding grows as the state does") {
  Pool classes = extended_pool();
  for (const char* genome : {"11111-11111-11111-11111", "61111-61111-61111-61111"}) {
    CAPTURE(genome);
    Backbone model(nullptr, compile(parse(genome, classes), classes), kSizes);
    auto grown = double(model.cache_bytes(2048) - model.cache_bytes(64));
    Peak few = peak_of(genome, 64), many = peak_of(genome, 2048);
    // A state that grows is copied to a place twice as large, and the arena keeps the smaller ones.
    double reserved = many.reserved - few.reserved;
    CHECK(reserved >= grown);
    CHECK(reserved <= 4 * grown);
    // How much of the program's file is resident is the system's choice, in both runs.
    constexpr double kOfTheFile = 4 << 20;
    double resident = many.resident - few.resident;
    CHECK(resident >= 0.9 * grown - kOfTheFile);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps what is freed for a while
    CHECK(resident <= 4 * grown + kOfTheFile);
#endif
  }
}

TEST_CASE("measurement: times are positive, and of as many tokens as were asked for") {
  auto spread_of = [](const Measured& m) { return m.value > 0 ? m.spread.value_or(-1) : -1; };
  CHECK(measured("11111-91111", [&](Exec& exec, Backbone& model) {
          return spread_of(measure_decode({exec, model, 16, 0}));
        }) >= 0);
  CHECK(measured("11111-91111", [&](Exec& exec, Backbone& model) {
          return spread_of(measure_prefill({exec, model, 16, 0}));
        }) >= 0);
  // What was computed is told by the tensors that it took: the state, and one activation at least.
  for (auto* measure : {&measure_prefill, &measure_decode}) {
    auto peak_at = [&](int64_t context) {
      return measured("11111-91111", [&](Exec& exec, Backbone& model) {
        measure({exec, model, context, 0});
        return double(exec.arena().peak_bytes());
      });
    };
    Pool classes = extended_pool();
    Backbone model(nullptr, compile(parse("11111-91111", classes), classes), kSizes);
    const double more = peak_at(2048) - peak_at(8);
    CHECK(more >= double(model.cache_bytes(2048) - model.cache_bytes(8)) + 2040.0 * 64 * 4);
  }
}

TEST_CASE("measurement: a device is at rest when no probe of many in a row is slow") {
  // Every so many probes, until some number of them, one takes three times as long.
  auto asked = [](int every, int until, int most) {
    int probes = 0;
    const bool rest = comes_to_rest(
        [&] {
          ++probes;
          return probes < until && probes % every == 0 ? 3e-5 : 1e-5 + 1e-8 * probes;
        },
        most);
    return rest ? probes : -probes;
  };
  const int quiet = asked(1000, 0, 1000);  // after the first
  CHECK(quiet > 20);
  CHECK(asked(10, 500, 1000) > 490);
  CHECK(asked(10, 500, 1000) <= 500 + quiet);
  CHECK(asked(quiet / 2, 1000, 300) == -300);
  CHECK(asked(2, 200, 1000) > 190 + quiet);
}

TEST_CASE("measurement: a process keeps to one core") {
  CHECK(measured("11111", [](Exec&, Backbone&) {
          pin_to_core();
          cpu_set_t set;
          sched_getaffinity(0, sizeof set, &set);
          return double(CPU_COUNT(&set));
        }) == 1);
}
