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

// One of the texts that are made together.
struct Text {
  int64_t number;
  Rng rng;
  std::vector<int32_t> tokens;  // from the prompt on
};

void check_next_token(const Backbone& model) {
  require(!model.sizes().decoder,
          "the model tells a sequence after its last token, and no token after another");
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + int64_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

GenerateTimes generate(Exec& exec, const Backbone& model, std::span<const int32_t> prompt,
                       const GenerateOptions& options, int64_t first, int64_t last,
                       const std::function<bool(int64_t text, int32_t token)>& token) {
  check_tokens(model, prompt);
  check_next_token(model);
  std::vector<Text> texts;
  for (int64_t i = first; i < last; ++i)
    texts.push_back(
        {i, Rng(options.seed, "generate", uint64_t(i)), {prompt.begin(), prompt.end()}});
  Tape tape(exec, false);
  DecodingState state;
  std::vector<double> logits, steps;  // of the last token of each sequence; milliseconds
  auto feed = [&](int64_t sequences, std::span<const int32_t> tokens) {
    const double start = milliseconds_now();
    const int64_t length = int64_t(tokens.size()) / sequences;
    const Var all = model.forward(tape, exec.from({sequences, length}, tokens), &state);
    logits = all.value().narrow(0, all.size(0) - sequences, sequences).to_doubles();
    for (double x : logits)
      require(std::isfinite(x), "generate: the model's logits are no numbers");
    return milliseconds_now() - start;
  };
  GenerateTimes times;
  times.prefill_ms = feed(1, prompt);
  // From here on each text is a sequence of the batch.
  const int64_t V = model.sizes().vocab;
  if (texts.size() > 1) state = state.of(exec, std::vector<int64_t>(texts.size(), 0));
  for (size_t t = 1; t < texts.size(); ++t)
    logits.insert(logits.end(), logits.begin(), logits.begin() + V);
  for (int64_t i = 0; i < options.tokens; ++i) {
    std::vector<Text> on;
    std::vector<int64_t> sequences;
    std::vector<int32_t> drawn;
    for (size_t t = 0; t < texts.size(); ++t) {
      const auto own = logits.begin() + int64_t(t) * V;
      const int32_t next =
          draw_token({own, own + V}, texts[t].tokens, options.sampling, texts[t].rng);
      if (!token(texts[t].number, next)) continue;
      sequences.push_back(int64_t(t));
      drawn.push_back(next);
      on.push_back(std::move(texts[t]));
      on.back().tokens.push_back(next);
    }
    const bool some_ended = on.size() < texts.size();
    texts = std::move(on);
    if (texts.empty() || i + 1 == options.tokens) break;
    if (some_ended) state = state.of(exec, sequences);
    steps.push_back(feed(int64_t(texts.size()), drawn) / double(texts.size()));
  }
  times.decode_ms_per_token = median(std::move(steps));
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
  check_next_token(model);
  DecodingState state;
  for (size_t i = 0; i < tokens.size(); ++i)
    append(model.forward(tape, exec.from({1, 1}, tokens.subspan(i, 1)), &state));
  return out;
}

}  // namespace star::synthesis
