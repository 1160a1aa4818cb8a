// star logits.
#include <cctype>
#include <limits>

#include "core/file.h"
#include "core/npy.h"
#include "core/number.h"
#include "star/checkpoint.h"
#include "star/generator.h"
#include "tools/command.h"
#include "tools/output.h"

namespace star::cli {
namespace {

// Whole numbers separated by commas or white space.
std::vector<int32_t> parse_tokens(const std::string& text, const std::string& where) {
  std::vector<int32_t> tokens;
  auto separates = [](char c) { return c == ',' || std::isspace(static_cast<unsigned char>(c)); };
  bool comma = true;  // one after which a number has to come, or the beginning
  for (size_t at = 0; at < text.size();) {
    if (separates(text[at])) {
      require(text[at] != ',' || !comma, "{}: no number before a comma", where);
      comma = comma || text[at] == ',';
      ++at;
      continue;
    }
    comma = false;
    size_t end = at;
    while (end < text.size() && !separates(text[end])) ++end;
    constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
    tokens.push_back(whole_number<int32_t>(text.substr(at, end - at), 0, kMost, where));
    at = end;
  }
  require(!tokens.empty(), "{}: no tokens", where);
  require(!comma, "{}: no number after a comma", where);
  return tokens;
}

const std::map<std::string, DecodeMode> kModes = {{"parallel", DecodeMode::parallel},
                                                  {"recurrent", DecodeMode::recurrent}};

struct Logits {
  Common common;
  std::string checkpoint, tokens, tokens_file, mode = "parallel", out, config;

  void run() {
    require(tokens.empty() != tokens_file.empty(), "logits: give --tokens or --tokens-file");
    check_output(out, {checkpoint, tokens_file, config});
    auto exec = common.make_exec();
    LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    std::vector<int32_t> ids = tokens.empty() ? parse_tokens(read_file(tokens_file), tokens_file)
                                              : parse_tokens(tokens, "--tokens");
    std::vector<float> values = all_logits(*exec, *loaded.model, ids, kModes.at(mode));
    std::vector<int64_t> shape = {int64_t(ids.size()), loaded.model->sizes().vocab};
    write_npy(out, shape, std::span<const float>(values));
    if (common.json)
      print_json({{"shape", shape}, {"mode", mode}, {"out", out}});
    else
      fmt::print("{}: logits [{}, {}]\n", out, shape[0], shape[1]);
  }
};

}  // namespace

void declare_logits(CLI::App& app) {
  auto c = std::make_shared<Logits>();
  CLI::App* sub = app.add_subcommand("logits", "Logits of a token sequence as a NumPy file");
  sub->add_option("checkpoint", c->checkpoint, "A checkpoint made by star train")->required();
  auto* given = sub->add_option("--tokens", c->tokens, "Token numbers: 1,2,3");
  sub->add_option("--tokens-file", c->tokens_file, "A file of token numbers")->excludes(given);
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

}  // namespace star::cli
