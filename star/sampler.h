// Which token follows, given the logits of a model:
//
//   1. the logit z of a token that is among the last `repeat_last` becomes z / r where it is
//      positive, and z · r elsewhere, with the penalty r (CTRL: Keskar and others, 2019, arXiv
//      1909.05858);
//   2. p = softmax(z / temperature), in the order of p, equal ones by their number;
//   3. of these stay the first `top_k`; of those, with p made to sum to 1 again, as few as sum to
//      `top_p` (the nucleus: Holtzman and others, 2020, arXiv 1904.09751); of those, such as have
//      at least `min_p` times the largest p (Nguyen and others, 2024, arXiv 2407.01082);
//   4. one of them is drawn, each as often as its p says.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/layers.h"
#include "core/rng.h"

namespace star::synthesis {

struct SamplingOptions {
  double temperature = 0.8;  // 0: always the likeliest token
  int top_k = 0;             // 0: all
  double top_p = 1;
  double min_p = 0;
  double repeat_penalty = 1;
  int64_t repeat_last = 64;  // tokens
};

// `text` is what the token is to follow. The logits are finite.
int32_t draw_token(std::vector<double> logits, std::span<const int32_t> text,
                   const SamplingOptions& options, Rng& rng);

}  // namespace star::synthesis
