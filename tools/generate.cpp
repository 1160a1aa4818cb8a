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

namespace star::cli {
namespace {

struct Generate {
  Common common;
  std::string checkpoint, prompt, prompt_file, tokenizer;
  std::vector<std::string> stop_words;
  GenerateOptions options;
  int64_t samples = 1;
  bool no_echo = false;

  void run() {
    const std::string text = prompt_text();
    auto exec = common.make_exec();
    const LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    const TextCoding coding(loaded, checkpoint, tokenizer);
    options.seed = common.seed;
    std::vector<Sample> made;
    for (int64_t i = 0; i < samples; ++i) {
      if (samples > 1 && !common.json) fmt::print("--- {} of {}\n", i + 1, samples);
      options.sample = uint64_t(i);
      made.push_back(sample(*exec, *loaded.model, coding, text));
    }
    const GenerateTimes& times = made[0].times;
    if (common.json)
      print_document(made);
    else if (!common.quiet)
      say("prefill {:.2f} ms, decode {:.3f} ms a token\n", times.prefill_ms,
          times.decode_ms_per_token);
  }

 private:
  struct Sample {
    std::string text;
    int64_t tokens = 0;
    bool stopped = false;  // by one of the words
    GenerateTimes times = {};
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

  // Shown as it comes, unless it becomes a document.
  Sample sample(Exec& exec, const Backbone& model, const TextCoding& coding,
                const std::string& text) const {
    Sample made;
    StopWords stop(stop_words);
    auto show = [&](const std::string& piece) {
      made.text += piece;
      if (common.json) return;
      fmt::print("{}", piece);
      flush_output();  // where nobody reads any more, nothing more is to be said
    };
    const std::vector<int32_t> tokens = coding.encode(text);
    if (!common.json && !no_echo) fmt::print("{}", text);
    made.times = generate(exec, model, tokens, options, [&](int32_t token) {
      ++made.tokens;
      show(stop.add(coding.decode(token)));
      return !stop.ended() && !interrupted();
    });
    show(stop.rest());
    if (!common.json) fmt::print("\n");
    made.stopped = stop.ended();
    if (!made.stopped && made.tokens < options.tokens)
      throw Interrupted(
          fmt::format("interrupted after {} of {} tokens", made.tokens, options.tokens));
    return made;
  }

  static void print_document(const std::vector<Sample>& made) {
    nlohmann::json all = nlohmann::json::array();
    for (auto& s : made)
      all.push_back(
          {{"text", s.text}, {"tokens", s.tokens}, {"ended_by", s.stopped ? "stop" : "tokens"}});
    print_json({{"text", made[0].text},
                {"samples", all},
                {"prefill_ms", made[0].times.prefill_ms},
                {"decode_ms_per_token", made[0].times.decode_ms_per_token}});
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
      ->expected(1);
  add_whole(*sub, "--samples", c->samples, int64_t(1), int64_t(1) << 30,
            "Texts to generate, each drawn anew")
      ->capture_default_str();
  sub->add_flag("--no-echo", c->no_echo, "The text alone, without the prompt");
  declare_sampling(*sub, c->options.sampling);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
