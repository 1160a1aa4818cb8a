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
};

struct GenerateTimes {
  double prefill_ms = 0;           // the prompt, to the first token's logits
  double decode_ms_per_token = 0;  // median over the steps after it, each shared by its texts
};

// The numbers first … last − 1 of the texts that a seed makes, computed together. Feeds the prompt
// (at least one token) once, then draws `tokens` tokens for each, handed to `token` with the number
// of the text; false from it ends that text.
GenerateTimes generate(Exec& exec, const Backbone& model, std::span<const int32_t> prompt,
                       const GenerateOptions& options, int64_t first, int64_t last,
                       const std::function<bool(int64_t text, int32_t token)>& token);

// Logits of all tokens, [L, V], by the parallel form or token by token.
enum class DecodeMode { parallel, recurrent };
std::vector<float> all_logits(Exec& exec, const Backbone& model, std::span<const int32_t> tokens,
                              DecodeMode mode);

}  // namespace star::synthesis
