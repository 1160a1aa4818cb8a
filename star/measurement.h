// What decoding costs on this machine with this engine: measured, where star/objectives.h counts.
// To be called in a process that has the machine to itself.
#pragma once

#include "core/exec.h"
#include "liv/backbone.h"

namespace star {

// Keeps this thread on the core that it runs on.
void pin_to_core();

struct Latency {
  double median_ms = 0;
  double spread_ms = 0;  // from the lower to the upper quartile
};

// Milliseconds from a prompt of `context` tokens to the logits of the first token after it.
Latency measure_prefill(Exec& exec, const Backbone& model, int64_t context);

// Milliseconds a token, one token at a time through the decoding state, after `context` tokens.
Latency measure_decode(Exec& exec, const Backbone& model, int64_t context);

// Resident bytes of this process, program and inherited memory included, once what malloc keeps but
// does not use is given back.
int64_t resident_bytes();

// The most bytes that are resident at a time, those of a device included, while `context` tokens
// are decoded one by one. Throws `Error` where the system does not say.
int64_t measure_peak(Exec& exec, const Backbone& model, int64_t context);

}  // namespace star
