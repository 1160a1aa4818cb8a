// What decoding costs on this machine with this engine: measured, where star/objectives.h counts.
// To be called in a process that has the machine to itself.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "core/exec.h"
#include "liv/backbone.h"

namespace star::synthesis {

// Keeps this thread on the core that it runs on.
void pin_to_core();

// What is measured, and where.
struct MeasuringPlace {
  Exec& exec;
  const Backbone& model;
  int64_t context;          // tokens
  int64_t resident_before;  // bytes of this process before it had the model
};

struct Measured {
  double value = 0;
  std::optional<double> spread = {};  // from the lower to the upper quartile
};

// Milliseconds from a prompt of `context` tokens to the logits of the first token after it; the
// median of several.
Measured measure_prefill(const MeasuringPlace& place);

// Milliseconds a token, one token at a time through the decoding state, after `context` tokens; the
// median of many.
Measured measure_decode(const MeasuringPlace& place);

// Whether a device that others may share is at rest: `seconds_of_probe` is asked until none of many
// in a row takes twice as long as the shortest so far. Gives up after so many.
bool comes_to_rest(const std::function<double()>& seconds_of_probe, int most_probes);

// Waits until what other processes have launched is done, two seconds or so at most: they may have
// been stopped, their kernels are not.
void wait_for_rest(Exec& exec);

// Resident bytes of this process, program and inherited memory included, once what malloc keeps but
// does not use is given back.
int64_t resident_bytes();

// The most bytes that are resident at a time beyond those before, while `context` tokens are decoded
// one by one; on a device those of its memory that tensors were given, parameters and state
// included, but none of the driver's. Throws `Error` where the system does not say.
Measured measure_peak(const MeasuringPlace& place);

}  // namespace star::synthesis
