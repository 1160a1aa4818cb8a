// star logits.
#include "core/file.h"
#include "core/npy.h"
#include "star/checkpoint.h"
#include "star/generator.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/token_list.h"
#include "tools/tokenizer_option.h"
#include "tools/weights_option.h"

namespace star::cli {
namespace {

const std::map<std::string, DecodeMode> kModes = {{"parallel", DecodeMode::parallel},
                                                  {"recurrent", DecodeMode::recurrent}};

struct Logits {
  Common common;
  WeightsOption weights;
  std::string checkpoint, tokens, tokens_file, text, tokenizer, mode = "parallel", out, config;

  void run() {
    require(!tokens.empty() + !tokens_file.empty() + !text.empty() == 1,
            "logits: give --tokens, --tokens-file or --text");
    check_output(out, {checkpoint, tokens_file, tokenizer, config});
    auto exec = common.make_exec();
    LoadedModel loaded = load_checkpoint(checkpoint, *exec);
    weights.apply(*exec, *loaded.model);
    const std::vector<int32_t> ids = tokens_of(loaded);
    std::vector<float> values = all_logits(*exec, *loaded.model, ids, kModes.at(mode));
    std::vector<int64_t> shape = {int64_t(ids.size()), loaded.model->sizes().vocab};
    write_npy(out, shape, std::span<const float>(values));
    if (common.json)
      print_json({{"shape", shape}, {"mode", mode}, {"out", out}});
    else
      fmt::print("{}: logits [{}, {}]\n", out, shape[0], shape[1]);
  }

 private:
  std::vector<int32_t> tokens_of(const LoadedModel& loaded) const {
    if (!text.empty()) return TextCoding(loaded, checkpoint, tokenizer).encode(text);
    return tokens.empty() ? parse_token_list(read_file(tokens_file), tokens_file)
                          : parse_token_list(tokens, "--tokens");
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
  c->weights.declare(*sub);
  sub->add_option("--out", c->out, "Where [L, V] float32 goes (.npy)")->required();
  c->common.declare(*sub);
  sub->callback([c, sub] {
    c->config = config_file(*sub);
    c->run();
  });
}

}  // namespace star::cli
