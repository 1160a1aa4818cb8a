// star generate.
#include <unistd.h>

#include "core/file.h"
#include "star/checkpoint.h"
#include "star/data_files.h"
#include "star/generator.h"
#include "star/stop_words.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/tokenizer_option.h"
#include "tools/weights_option.h"

namespace star::cli {
namespace {

struct Generate {
  Common common;
  std::string checkpoint, prompt, prompt_file, tokenizer;
  std::vector<std::string> stop_words;
  GenerateOptions options;
  WeightsOption weights;
  int64_t samples = 1;
  bool no_echo = false;

  void run() {
    const std::string text = prompt_text();
    auto exec = common.make_exec();
    const LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    weights.apply(*exec, *loaded.model);
    const TextCoding coding(loaded, checkpoint, tokenizer);
    options.seed = common.seed;
    std::vector<Sample> made;
    GenerateTimes times;
    for (int64_t i = 0; i < samples; i += kTogether) {
      const GenerateTimes some = make(*exec, *loaded.model, coding, text, i, made);
      if (i == 0) times = some;
    }
    if (common.json)
      print_document(made, times);
    else if (!common.quiet)
      say("prefill {:.2f} ms, decode {:.3f} ms a token\n", times.prefill_ms,
          times.decode_ms_per_token);
  }

 private:
  // Texts that are made together: a product with weights takes about as long for all of them as for
  // one.
  static constexpr int64_t kTogether = 16;

  struct Sample {
    StopWords stop;
    std::string text = {};
    int64_t tokens = 0;
    size_t shown = 0;  // bytes
  };

  std::string prompt_text() const {
    const bool from_input = prompt_file == "-" || (prompt.empty() && prompt_file.empty());
    constexpr const char* kNone =
        "generate: no prompt; --prompt or --prompt-file gives it, or standard input";
    require(!from_input || prompt_file == "-" || !isatty(STDIN_FILENO), kNone);
    const std::string text = !prompt.empty() ? prompt
                             : from_input    ? text_of_standard_input("").files[0].text
                                             : read_file(prompt_file);
    require(!text.empty(), kNone);
    return text;
  }

  // Those from the number `first` on. The first one that goes on is shown as it comes, those after it
  // when it has ended; none where they become a document.
  GenerateTimes make(Exec& exec, const Backbone& model, const TextCoding& coding,
                     const std::string& text, int64_t first, std::vector<Sample>& made) const {
    const int64_t last = std::min(samples, first + kTogether);
    int64_t showing = first;
    for (int64_t i = first; i < last; ++i) made.push_back({StopWords(stop_words)});
    auto sample = [&](int64_t i) -> Sample& { return made[size_t(i)]; };
    if (!common.json) show_head(text, first);
    auto add = [&](int64_t i, const std::string& piece) {
      sample(i).text += piece;
      if (i == showing && !common.json) show(sample(i));
    };
    auto ended = [&](int64_t i) {
      return sample(i).stop.ended() || sample(i).tokens == options.tokens;
    };
    auto end = [&](int64_t i) {
      add(i, sample(i).stop.rest());
      for (; showing < last && ended(showing); ++showing) {
        if (common.json) continue;
        show(sample(showing));
        fmt::print("\n");
        if (showing + 1 < last) show_head(text, showing + 1), show(sample(showing + 1));
      }
    };
    const GenerateTimes times = generate(exec, model, coding.encode(text), options, first, last,
                                         [&](int64_t i, int32_t token) {
                                           ++sample(i).tokens;
                                           add(i, sample(i).stop.add(coding.decode(token)));
                                           if (ended(i)) end(i);
                                           return !ended(i) && !interrupted();
                                         });
    if (showing == last) return times;
    add(showing, sample(showing).stop.rest());
    if (!common.json) fmt::print("\n");
    throw Interrupted(fmt::format("interrupted after {} of {} tokens{}", sample(showing).tokens,
                                  options.tokens,
                                  samples > 1 ? fmt::format(" of text {}", showing + 1) : ""));
  }

  void show_head(const std::string& text, int64_t i) const {
    if (samples > 1) fmt::print("--- {} of {}\n", i + 1, samples);
    if (!no_echo) fmt::print("{}", text);
  }

  // What is new of it. Where nobody reads any more, nothing more is to be said.
  static void show(Sample& sample) {
    fmt::print("{}", std::string_view(sample.text).substr(sample.shown));
    sample.shown = sample.text.size();
    flush_output();
  }

  static void print_document(const std::vector<Sample>& made, const GenerateTimes& times) {
    nlohmann::json all = nlohmann::json::array();
    for (auto& s : made)
      all.push_back({{"text", s.text},
                     {"tokens", s.tokens},
                     {"ended_by", s.stop.ended() ? "stop" : "tokens"}});
    print_json({{"text", made[0].text},
                {"samples", all},
                {"prefill_ms", times.prefill_ms},
                {"decode_ms_per_token", times.decode_ms_per_token}});
  }
};

void declare_sampling(CLI::App& app, SamplingOptions& options) {
  add_real(app, "--temperature", options.temperature, from_zero(), "0: always the likeliest token")
      ->capture_default_str();
  add_whole(app, "--top-k", options.top_k, 0, 1 << 20, "Draw among the k likeliest; 0: all")
      ->capture_default_str();
  add_real(app, "--top-p", options.top_p, {0, 1, true},
           "Draw among the likeliest that together have this probability")
      ->capture_default_str();
  add_real(app, "--min-p", options.min_p, within(0, 1),
           "Draw among those that have this share of the likeliest one's probability")
      ->capture_default_str();
  add_real(app, "--repeat-penalty", options.repeat_penalty, above_zero(),
           "Divides the logits of what stands in the last tokens; 1: none")
      ->capture_default_str();
  add_whole(app, "--repeat-last", options.repeat_last, int64_t(0), int64_t(1) << 40,
            "So many tokens are looked at for that")
      ->capture_default_str();
}

}  // namespace

void declare_generate(CLI::App& app) {
  auto c = std::make_shared<Generate>();
  CLI::App* sub = app.add_subcommand("generate", "Text from a checkpoint");
  sub->add_option("checkpoint", c->checkpoint, "A checkpoint made by star train")->required();
  auto* prompt = sub->add_option("--prompt", c->prompt,
                                 "The text to go on from (default: what standard input says)");
  sub->add_option("--prompt-file", c->prompt_file, "A file that holds it; -: standard input")
      ->excludes(prompt);
  declare_tokenizer_option(*sub, c->tokenizer);
  add_whole(*sub, "--tokens", c->options.tokens, 1, int64_t(1) << 40,
            "Tokens to generate at most; bytes where the model has no tokenizer")
      ->capture_default_str();
  sub->add_option("--stop", c->stop_words,
                  "Ends before this text is said; may be given several times")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1)
      ->allow_extra_args(false);
  add_whole(*sub, "--samples", c->samples, int64_t(1), int64_t(1) << 30,
            "Texts to generate, each drawn anew")
      ->capture_default_str();
  sub->add_flag("--no-echo", c->no_echo, "The text alone, without the prompt");
  declare_sampling(*sub, c->options.sampling);
  c->weights.declare(*sub);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
