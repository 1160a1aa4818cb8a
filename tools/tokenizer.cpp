// star tokenizer: learns one from text, and shows what it makes of text.
#include "star/tokenizer.h"

#include "core/file.h"
#include "star/bpe_training.h"
#include "star/data_files.h"
#include "star/token_data.h"
#include "star/tokenizer_file.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/token_list.h"

namespace star::cli {
namespace {

struct TrainTokenizer {
  Common common;
  std::string data, text_field, out, config;
  int vocab = 4096;

  void run() {
    end_on_signals();
    const TextFiles text = read();
    std::vector<std::string> inputs = {config};
    for (auto& file : text.files) inputs.push_back(file.name);
    check_output(out, inputs);
    WordCounts words(Words::gpt2);
    for (auto& file : text.files) count(file, words);
    LearntBpe learnt = learn_bpe(words, vocab);
    const Tokenizer tokenizer(std::move(learnt.parts), out);
    const std::string written = tokenizer_text(tokenizer);
    const std::string_view piece = written;
    write_file(out, {&piece, 1});
    const double per_token = double(learnt.bytes) / double(std::max<int64_t>(learnt.tokens, 1));
    if (common.json)
      return print_json({{"vocab", tokenizer.vocab()},
                         {"bytes_per_token", per_token},
                         {"bytes", learnt.bytes},
                         {"tokens", learnt.tokens},
                         {"out", out}});
    fmt::print("vocabulary  {}{}\ntext        {} bytes, {:.3f} a token\nwritten     {}\n",
               tokenizer.vocab(), tokenizer.vocab() < vocab ? ", nothing is left to be merged" : "",
               learnt.bytes, per_token, out);
  }

 private:
  TextFiles read() const {
    if (data == kStandardInput) return text_of_standard_input(text_field);
    const DataFiles found = find_data(data);
    require(found.tokens.empty(), "{}: holds tokens, and no text to learn them from", data);
    TextFiles text = read_text(found, data, text_field.empty() ? "text" : text_field);
    if (const std::string warning = warning_of(text); !warning.empty())
      say_error(fmt::format("warning: {}: {}", data, warning));
    return text;
  }

  // What models are trained on alone: what they are judged by is new to the tokenizer too.
  static void count(const TextFile& file, WordCounts& words) {
    const size_t end = part_ends(file.text.size())[size_t(Split::train)];
    const std::string_view text = std::string_view(file.text).substr(0, end);
    size_t begin = 0;
    for (size_t separator : file.separators) {
      if (separator >= end) break;
      words.add(text.substr(begin, separator - begin));
      begin = separator + 1;
    }
    words.add(text.substr(begin));
  }
};

struct Encode {
  Common common;
  std::string tokenizer, text, text_file, out, config;

  void run() const {
    require(text.empty() != text_file.empty(), "encode: give --text or --text-file");
    if (!out.empty()) check_output(out, {tokenizer, text_file, config});
    const std::shared_ptr<const Tokenizer> coding = read_tokenizer(tokenizer);
    const std::vector<int32_t> tokens = coding->encode(text.empty() ? read_file(text_file) : text);
    if (!out.empty()) return write(tokens, coding->vocab());
    if (common.json)
      print_json({{"tokens", tokens}});
    else
      fmt::print("{}\n", fmt::join(tokens, ","));
  }

 private:
  // As nanoGPT has them: two bytes each, the lower first.
  void write(const std::vector<int32_t>& tokens, int vocab) const {
    require(out.ends_with(".bin"), "--out {}: files of tokens are called *.bin", out);
    require(vocab <= 1 << 16, "--out {}: {} tokens have no room in two bytes", out, vocab);
    std::string bytes;
    for (int32_t token : tokens) bytes.append({char(token & 255), char(token >> 8)});
    const std::string_view piece = bytes;
    write_file(out, {&piece, 1});
    if (common.json)
      print_json({{"out", out}, {"count", tokens.size()}, {"vocab", vocab}});
    else
      fmt::print("{}: {} tokens of {}\n", out, tokens.size(), vocab);
  }
};

struct Decode {
  Common common;
  std::string tokenizer, tokens, tokens_file;

  void run() const {
    require(tokens.empty() != tokens_file.empty(), "decode: give --tokens or --tokens-file");
    const std::string text = read_tokenizer(tokenizer)->decode(
        tokens.empty() ? parse_token_list(read_file(tokens_file), tokens_file)
                       : parse_token_list(tokens, "--tokens"));
    if (common.json)
      print_json({{"text", text}});
    else
      fmt::print("{}\n", text);
  }
};

void declare_learning(CLI::App& app) {
  auto c = std::make_shared<TrainTokenizer>();
  CLI::App* sub = app.add_subcommand(
      "train", "Learns a byte-level byte-pair encoding from the training part of text");
  sub->add_option("--data", c->data, "Text, as star train takes it")->required();
  sub->add_option("--text-field", c->text_field,
                  "Where JSON lines hold their text (default: text); standard input is JSON lines "
                  "where it is given");
  add_whole(*sub, "--vocab", c->vocab, 257, kLargestTokenizer,
            "Tokens: the end of text, 256 bytes, and what is merged")
      ->capture_default_str();
  sub->add_option("--out", c->out, "Where the tokenizer goes (tokenizer.json of Hugging Face)")
      ->required();
  c->common.declare(*sub);
  sub->callback([c, sub] {
    c->config = config_file(*sub);
    c->run();
  });
}

void declare_encoding(CLI::App& app) {
  auto c = std::make_shared<Encode>();
  CLI::App* sub = app.add_subcommand("encode", "Text as tokens");
  sub->add_option("tokenizer", c->tokenizer, "A tokenizer.json")->required();
  auto* given = sub->add_option("--text", c->text, "The text");
  sub->add_option("--text-file", c->text_file, "A file of text")->excludes(given);
  sub->add_option("--out", c->out,
                  "A file of tokens (*.bin, two bytes each), which star train takes as --data with "
                  "the same --tokenizer");
  c->common.declare(*sub);
  sub->callback([c, sub] {
    c->config = config_file(*sub);
    c->run();
  });
}

void declare_decoding(CLI::App& app) {
  auto c = std::make_shared<Decode>();
  CLI::App* sub = app.add_subcommand("decode", "Tokens as text");
  sub->add_option("tokenizer", c->tokenizer, "A tokenizer.json")->required();
  auto* given = sub->add_option("--tokens", c->tokens, "Token numbers: 1,2,3");
  sub->add_option("--tokens-file", c->tokens_file, "A file of token numbers")->excludes(given);
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace

void declare_tokenizer(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("tokenizer", "Learns a tokenizer, and applies it");
  sub->require_subcommand(1);
  declare_learning(*sub);
  declare_encoding(*sub);
  declare_decoding(*sub);
}

}  // namespace star::cli
