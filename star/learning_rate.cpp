#include "star/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace star::synthesis {
namespace {

// To a tenth of the peak, over all steps (Loshchilov and Hutter, "SGDR", 2017).
double cosine(const RatePlan& plan, int64_t step) {
  const double progress =
      plan.steps > plan.warmup ? double(step - plan.warmup) / double(plan.steps - plan.warmup) : 1;
  return 0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

// Warmup-stable-decay (Hu et al., "MiniCPM", 2024, arXiv 2404.06395): as long as it does not decay,
// nothing depends on where it will end. The decay is that which Hägele et al. found best ("Scaling
// laws and compute-optimal training beyond fixed training durations", 2024, arXiv 2405.18392).
double stable_then_decay(const RatePlan& plan, int64_t step) {
  const int64_t begin = std::max(plan.warmup, plan.steps - plan.decay);
  if (step <= begin) return 1;
  return 1 - std::sqrt(double(step - begin) / double(plan.steps - begin));
}

double constant(const RatePlan&, int64_t) { return 1; }

}  // namespace

const std::vector<RateScheduleRow>& RateScheduleRow::rows() {
  static const std::vector<RateScheduleRow> rows = {
      {"cosine", cosine}, {"wsd", stable_then_decay, true}, {"constant", constant}};
  return rows;
}

void RateScheduleRow::refuse(std::string_view name) {
  fail("there is no schedule `{}`; there are {}", name, fmt::join(RateSchedule::names(), ", "));
}

double scheduled_rate(const RateSchedule& schedule, double peak, const RatePlan& plan,
                      int64_t step) {
  if (step < plan.warmup) return peak * double(step + 1) / double(plan.warmup);
  return peak * schedule->share(plan, step);
}

}  // namespace star::synthesis
