// How fast a training learns, step by step: a linear warm-up to the peak, then a schedule.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "star/named.h"

namespace star::synthesis {

// A training of so many steps, of which the first `warmup` rise and, under a schedule that has a
// decay of a length of its own, the last `decay` fall.
struct RatePlan {
  int64_t steps, warmup, decay;
};

// A row of the table in learning_rate.cpp.
struct RateScheduleRow {
  const char* name;
  // The share of the peak at a step in warmup … steps − 1.
  double (*share)(const RatePlan& plan, int64_t step);
  bool has_decay = false;  // of a length of its own

  static const std::vector<RateScheduleRow>& rows();
  [[noreturn]] static void refuse(std::string_view name);
};

using RateSchedule = Named<RateScheduleRow>;

// The learning rate of step 0 … steps − 1.
double scheduled_rate(const RateSchedule& schedule, double peak, const RatePlan& plan,
                      int64_t step);

}  // namespace star::synthesis
