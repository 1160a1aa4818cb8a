// Where data comes from on the command line, and how a loss on it is said.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "star/data_source.h"
#include "star/source_text.h"
#include "star/tasks.h"
#include "star/text.h"
#include "star/tokenizer_file.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/options.h"
#include "tools/table.h"

namespace star::cli {

void DataOptions::declare(CLI::App& app) {
  constexpr int64_t kMostTokens = 1 << 24;
  auto* by_path = app.add_option("--data", path,
                                 "Text, bytes as tokens, one file (*.jsonl: a document a line) or "
                                 "those of a folder; or tokens "
                                 "of nanoGPT, llm.c (*.bin) or NumPy (*.npy); or a pattern such as "
                                 "'shards/*.bin', @FILE, which "
                                 "names files, or -, standard input");
  auto* by_field = app.add_option(
      "--text-field", text_field,
      "Where JSON lines hold their text (default: text); standard input is JSON lines "
      "where it is given");
  auto* by_vocab = add_whole(app, "--vocab", vocab, 1, kMostTokens,
                             "Tokens of the vocabulary (default: the tokenizer's; without one 256 "
                             "for text, of token files "
                             "the largest token and one)");
  auto* by_tokenizer = app.add_option("--tokenizer", tokenizer_path,
                                      "A tokenizer.json of byte-level byte-pair encoding, which "
                                      "makes tokens of text, and says what "
                                      "those of token files stand for; a checkpoint carries it on");
  app.add_option("--task", task,
                 "source, " + fmt::format("{}", fmt::join(Task::names(), ", ")) +
                     "; options as in mqar:D=8,L=128")
      ->excludes(by_path)
      ->excludes(by_field)
      ->excludes(by_vocab)
      ->excludes(by_tokenizer);
}

DataOptions DataOptions::of(const SearchSettings& s) {
  DataOptions options{s.data_path, s.task, s.text_field, s.tokenizer};
  if (!s.data_path.empty()) options.vocab = s.sizes.vocab;
  return options;
}

std::unique_ptr<Dataset> DataOptions::open(int64_t length, int64_t usual, uint64_t seed) {
  constexpr int kTextLength = 128;
  require(given(), "data: give --data PATH or --task NAME");
  const int wanted = int(length > 0 ? length : usual);  // 0: nobody says
  const int text_length = wanted > 0 ? wanted : kTextLength;
  if (!path.empty()) {
    if (!tokenizer_path.empty()) tokenizer = read_tokenizer(tokenizer_path);
    OpenedData opened = open_data({path, text_field, vocab, tokenizer}, text_length);
    if (!opened.warning.empty() && !silent)
      say_error(fmt::format("warning: {}: {}", path, opened.warning));
    return std::move(opened.data);
  }
  for (auto& [option, is_given] : {std::pair{"--vocab", vocab > 0},
                                   {"--text-field", !text_field.empty()},
                                   {"--tokenizer", !tokenizer_path.empty()}})
    require(!is_given, "{}: it is for data of files, and this is the task {}", option, task);
  if (task == "source") return std::make_unique<TextData>(source_text(), text_length, task);
  TaskOptions options = parse_task(task);
  require(!options.sets_length || length == 0 || length == options.length,
          "--seq {}: the task {} says L={}", length, task, options.length);
  if (!options.sets_length && wanted > 0) options.length = wanted;
  return std::make_unique<TaskData>(options, seed);
}

std::string absolute_path(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal();
}

void declare_length(CLI::App& app, int64_t& length, const std::string& otherwise) {
  add_whole(app, "--seq", length, 1, 1 << 20,
            fmt::format("Tokens a sequence (default: {})", otherwise));
}

void declare_validation(CLI::App& app, int64_t& tokens) {
  add_whole(app, "--validation-tokens", tokens, 0, int64_t(1) << 40,
            "Tokens of the validation part that a model is judged by, spread evenly over all of "
            "it; 0: all. The loss is given with its standard error")
      ->capture_default_str();
}

double nats_to_bits(double nats) { return nats / std::log(2.0); }

nlohmann::json judgement_json(const Judgement& j) {
  nlohmann::json json = {{"loss", j.loss},         {"standard_error", j.standard_error},
                         {"tokens", j.targets},    {"bits", nats_to_bits(j.loss)},
                         {"bpb", nullptr},         {"perplexity", std::exp(j.loss)},
                         {"accuracy", j.accuracy}, {"macro_accuracy", j.macro_accuracy}};
  if (j.bytes > 0) json["bpb"] = bits_a_byte(j);
  return json;
}

std::string loss_text(double loss, double standard_error, const Dataset& data) {
  return fmt::format("{} nats, {:.4f} bits a {}", plus_minus(loss, standard_error, 4),
                     nats_to_bits(loss), data.tokens_are_bytes() ? "byte" : "token");
}

std::string loss_text(const Judgement& j, const Dataset& data) {
  const std::string text = loss_text(j.loss, j.standard_error, data);
  if (j.bytes == 0 || data.tokens_are_bytes()) return text;
  return fmt::format("{}, {:.4f} bits a byte", text, bits_a_byte(j));
}

std::string judged_text(const std::vector<const Metrics*>& judged) {
  double error = std::nan(""), targets = std::nan("");
  for (const Metrics* metrics : judged) {
    auto e = metrics->find("standard_error"), n = metrics->find("targets");
    if (e != metrics->end()) error = std::fmax(error, e->second);
    if (n != metrics->end()) targets = std::fmax(targets, n->second);
  }
  if (std::isnan(targets)) return "";
  return fmt::format(
      "quality: nats a target over {:.0f} targets of the validation part, standard error up to "
      "{}\n",
      targets, fixed(error, 4));
}

}  // namespace star::cli
