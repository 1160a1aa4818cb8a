// Text from a model, token by token through its decoding state.
#pragma once

#include <functional>
#include <span>

#include "liv/backbone.h"
#include "star/sampler.h"

namespace star::synthesis {

struct GenerateOptions {
  int64_t tokens = 100;
  SamplingOptions sampling = {};
  uint64_t seed = 0;
  uint64_t sample = 0;  // of those from one seed
};

struct GenerateTimes {
  double prefill_ms = 0;           // the prompt, to the first token's logits
  double decode_ms_per_token = 0;  // median over the tokens after the first
};

// Feeds the prompt (at least one token), then draws `tokens` tokens, each handed to `token`; false
// from it ends the text.
GenerateTimes generate(Exec& exec, const Backbone& model, std::span<const int32_t> prompt,
                       const GenerateOptions& options, const std::function<bool(int32_t)>& token);

// Logits of all tokens, [L, V], by the parallel form or token by token.
enum class DecodeMode { parallel, recurrent };
std::vector<float> all_logits(Exec& exec, const Backbone& model, std::span<const int32_t> tokens,
                              DecodeMode mode);

}  // namespace star::synthesis
