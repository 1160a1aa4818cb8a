#include "star/generator.h"

#include <algorithm>
#include <cmath>

#include "core/clock.h"

namespace star::synthesis {
namespace {

double milliseconds_now() { return 1000 * seconds_now(); }

void check_tokens(const Backbone& model, std::span<const int32_t> tokens) {
  require(!tokens.empty(), "tokens: none given");
  for (size_t i = 0; i < tokens.size(); ++i)
    require(tokens[i] >= 0 && tokens[i] < model.sizes().vocab, "tokens: number {} is {}, not 0…{}",
            i + 1, tokens[i], model.sizes().vocab - 1);
}

// The logits of the last token of a sequence.
std::vector<double> last_logits(const Var& logits) {
  std::vector<double> last = logits.value().narrow(0, logits.size(0) - 1, 1).to_doubles();
  for (double x : last) require(std::isfinite(x), "generate: the model's logits are no numbers");
  return last;
}

}  // namespace

GenerateTimes generate(Exec& exec, const Backbone& model, std::span<const int32_t> prompt,
                       const GenerateOptions& options, const std::function<bool(int32_t)>& token) {
  check_tokens(model, prompt);
  Tape tape(exec, false);
  DecodingState state;
  Rng rng(options.seed, "generate", options.sample);
  std::vector<int32_t> text(prompt.begin(), prompt.end());
  GenerateTimes times;
  double start = milliseconds_now();
  auto feed = [&](std::span<const int32_t> tokens) {
    return last_logits(model.forward(tape, exec.from({1, int64_t(tokens.size())}, tokens), &state));
  };
  std::vector<double> logits = feed(prompt), decode;
  times.prefill_ms = milliseconds_now() - start;
  for (int64_t i = 0; i < options.tokens; ++i) {
    const int32_t next = draw_token(std::move(logits), text, options.sampling, rng);
    if (!token(next) || i + 1 == options.tokens) break;
    text.push_back(next);
    start = milliseconds_now();
    logits = feed({&next, 1});
    decode.push_back(milliseconds_now() - start);
  }
  if (!decode.empty()) {
    std::nth_element(decode.begin(), decode.begin() + int64_t(decode.size() / 2), decode.end());
    times.decode_ms_per_token = decode[decode.size() / 2];
  }
  return times;
}

std::vector<float> all_logits(Exec& exec, const Backbone& model, std::span<const int32_t> tokens,
                              DecodeMode mode) {
  check_tokens(model, tokens);
  Tape tape(exec, false);
  std::vector<float> out;
  auto append = [&](const Var& logits) {
    for (double x : logits.value().to_doubles()) out.push_back(float(x));
  };
  if (mode == DecodeMode::parallel) {
    append(model.forward(tape, exec.from({1, int64_t(tokens.size())}, tokens)));
    return out;
  }
  DecodingState state;
  for (size_t i = 0; i < tokens.size(); ++i)
    append(model.forward(tape, exec.from({1, 1}, tokens.subspan(i, 1)), &state));
  return out;
}

}  // namespace star::synthesis
