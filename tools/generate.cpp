// star logits, star generate.
#include "core/file.h"
#include "core/npy.h"
#include "star/checkpoint.h"
#include "star/generator.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/token_list.h"
#include "tools/tokenizer_option.h"

namespace star::cli {
namespace {

const std::map<std::string, DecodeMode> kModes = {{"parallel", DecodeMode::parallel},
                                                  {"recurrent", DecodeMode::recurrent}};

struct Logits {
  Common common;
  std::string checkpoint, tokens, tokens_file, text, tokenizer, mode = "parallel", out, config;

  void run() {
    require(!tokens.empty() + !tokens_file.empty() + !text.empty() == 1,
            "logits: give --tokens, --tokens-file or --text");
    check_output(out, {checkpoint, tokens_file, tokenizer, config});
    auto exec = common.make_exec();
    LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    const TextCoding coding(loaded, checkpoint, tokenizer);
    std::vector<int32_t> ids = !text.empty() ? coding.encode(text)
                               : tokens.empty()
                                   ? parse_token_list(read_file(tokens_file), tokens_file)
                                   : parse_token_list(tokens, "--tokens");
    std::vector<float> values = all_logits(*exec, *loaded.model, ids, kModes.at(mode));
    std::vector<int64_t> shape = {int64_t(ids.size()), loaded.model->sizes().vocab};
    write_npy(out, shape, std::span<const float>(values));
    if (common.json)
      print_json({{"shape", shape}, {"mode", mode}, {"out", out}});
    else
      fmt::print("{}: logits [{}, {}]\n", out, shape[0], shape[1]);
  }
};

struct Generate {
  Common common;
  std::string checkpoint, prompt, tokenizer;
  GenerateOptions options;

  void run() {
    auto exec = common.make_exec();
    LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    const TextCoding coding(loaded, checkpoint, tokenizer);
    require(!prompt.empty(), "generate: the prompt is empty");
    const std::vector<int32_t> tokens = coding.encode(prompt);
    options.seed = common.seed;
    std::string text;
    int64_t done = 0;
    if (!common.json) fmt::print("{}", prompt);
    GenerateTimes times = generate(*exec, *loaded.model, tokens, options, [&](int32_t token) {
      const std::string piece = coding.decode(token);
      text += piece;
      ++done;
      if (!common.json) {
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        flush_output();  // where nobody reads any more, nothing more is to be said
      }
      return !interrupted();
    });
    if (done < options.tokens) {
      if (!common.json) fmt::print("\n");
      throw Interrupted(fmt::format("interrupted after {} of {} tokens", done, options.tokens));
    }
    if (common.json) {
      print_json({{"text", text},
                  {"prefill_ms", times.prefill_ms},
                  {"decode_ms_per_token", times.decode_ms_per_token}});
      return;
    }
    fmt::print("\n");
    if (!common.quiet)
      say("prefill {:.2f} ms, decode {:.3f} ms a token\n", times.prefill_ms,
          times.decode_ms_per_token);
  }
};

}  // namespace

void declare_logits(CLI::App& app) {
  auto c = std::make_shared<Logits>();
  CLI::App* sub = app.add_subcommand("logits", "Logits of a token sequence as a NumPy file");
  sub->add_option("checkpoint", c->checkpoint, "A checkpoint made by star train")->required();
  auto* given = sub->add_option("--tokens", c->tokens, "Token numbers: 1,2,3");
  auto* file = sub->add_option("--tokens-file", c->tokens_file, "A file of token numbers");
  file->excludes(given);
  sub->add_option("--text", c->text, "Text, whose tokens they are")
      ->excludes(given)
      ->excludes(file);
  declare_tokenizer_option(*sub, c->tokenizer);
  sub->add_option("--mode", c->mode, "All tokens at once, or one at a time from a cache")
      ->check(CLI::IsMember({"parallel", "recurrent"}))
      ->capture_default_str();
  sub->add_option("--out", c->out, "Where [L, V] float32 goes (.npy)")->required();
  c->common.declare(*sub);
  sub->callback([c, sub] {
    c->config = config_file(*sub);
    c->run();
  });
}

void declare_generate(CLI::App& app) {
  auto c = std::make_shared<Generate>();
  CLI::App* sub = app.add_subcommand("generate", "Text from a checkpoint");
  sub->add_option("checkpoint", c->checkpoint, "A checkpoint made by star train")->required();
  sub->add_option("--prompt", c->prompt, "The text to go on from")->required();
  declare_tokenizer_option(*sub, c->tokenizer);
  add_whole(*sub, "--tokens", c->options.tokens, 1, int64_t(1) << 40,
            "Tokens to generate; bytes where the model has no tokenizer")
      ->capture_default_str();
  add_real(*sub, "--temperature", c->options.temperature, from_zero(),
           "0: always the likeliest token")
      ->capture_default_str();
  add_whole(*sub, "--top-k", c->options.top_k, 0, 1 << 20, "Draw among the k likeliest; 0: all")
      ->capture_default_str();
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star::cli
