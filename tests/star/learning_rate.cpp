#include "star/learning_rate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "star/trainer.h"

namespace star::synthesis {

TEST_CASE("learning rate: it rises in a line and falls as a cosine to a tenth") {
  auto rate = [](double peak, int64_t step, int64_t steps, int64_t warmup) {
    return scheduled_rate("cosine", peak, {steps, warmup, 7}, step);
  };
  CHECK(rate(2, 0, 100, 10) == doctest::Approx(0.2));
  CHECK(rate(2, 4, 100, 10) == doctest::Approx(1));
  CHECK(rate(2, 9, 100, 10) == doctest::Approx(2));
  CHECK(rate(2, 10, 100, 10) == doctest::Approx(2));
  CHECK(rate(2, 55, 100, 10) == doctest::Approx(2 * 0.55));
  CHECK(rate(2, 100, 100, 10) == doctest::Approx(0.2));
  CHECK(rate(2, 0, 1, 0) == doctest::Approx(2));
  for (int64_t steps : {1, 2, 20, 333})
    for (int64_t warmup : {int64_t(0), steps / 20, steps})
      for (int64_t step = 0; step < steps; ++step) {
        const double now = rate(1, step, steps, warmup);
        CHECK((now > 0 && now <= 1 + 1e-12));
        if (step >= warmup) CHECK(now >= 0.1);
        if (step > 0 && step < warmup) CHECK(now > rate(1, step - 1, steps, warmup));
        if (step > warmup) CHECK(now < rate(1, step - 1, steps, warmup));
      }
}

TEST_CASE("learning rate: wsd stays at the peak, then falls as 1 - sqrt") {
  for (const RatePlan& plan : {RatePlan{100, 10, 20}, {100, 0, 100}, {7, 2, 3}, {50, 40, 30}}) {
    const int64_t begin = std::max(plan.warmup, plan.steps - plan.decay);
    for (int64_t step = 0; step < plan.steps; ++step) {
      const double rate = scheduled_rate("wsd", 3, plan, step);
      const double passed = double(step - begin) / double(plan.steps - begin);
      if (step < plan.warmup)
        CHECK(rate == doctest::Approx(3 * double(step + 1) / double(plan.warmup)));
      else if (step <= begin)
        CHECK(rate == 3);
      else
        CHECK(rate == doctest::Approx(3 * (1 - std::sqrt(passed))));
      CHECK(rate > 0);
    }
  }
  CHECK(scheduled_rate("wsd", 3, {100, 10, 0}, 99) == 3);
  CHECK(scheduled_rate("wsd", 3, {100, 10, 20}, 80) == 3);
  CHECK(scheduled_rate("wsd", 3, {100, 10, 20}, 85) == doctest::Approx(1.5));
}

TEST_CASE("learning rate: a constant one rises, and stays") {
  CHECK(scheduled_rate("constant", 2, {8, 4, 4}, 0) == 0.5);
  for (int64_t step = 3; step < 8; ++step)
    CHECK(scheduled_rate("constant", 2, {8, 4, 4}, step) == 2);
  CHECK_THROWS_WITH_AS(RateSchedule("linear"),
                       "there is no schedule `linear`; there are cosine, wsd, constant", Error);
}

TEST_CASE("learning rate: warm-up and decay are shares of the steps, rounded") {
  TrainOptions options{.steps = 30, .warmup = 0.05, .schedule = "wsd", .decay = 0.25};
  CHECK(rate_plan(options).steps == 30);
  CHECK(rate_plan(options).warmup == 2);
  CHECK(rate_plan(options).decay == 8);
  for (int64_t step = 0; step < 30; ++step)
    CHECK(rate_at(options, step) == scheduled_rate("wsd", options.learning_rate, {30, 2, 8}, step));
}

}  // namespace star::synthesis
