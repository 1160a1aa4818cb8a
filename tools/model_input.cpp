#include "tools/model_input.h"

#include "core/error.h"
#include "core/rng.h"
#include "tools/token_list.h"
#include "tools/tokenizer_option.h"

namespace star::cli {

void ModelInput::declare(CLI::App& app) {
  auto* of_text = app.add_option("--text", text,
                                 "Of a checkpoint: what the model reads (default: random tokens)");
  app.add_option("--tokens", tokens, "The same as token numbers: 1,2,3")->excludes(of_text);
  declare_tokenizer_option(app, tokenizer);
}

ModelInput::Read ModelInput::read(const LoadedModel& loaded, const std::string& checkpoint,
                                  int64_t random, uint64_t seed) const {
  Read found;
  if (!text.empty()) {
    const TextCoding coding(loaded, checkpoint, tokenizer);
    found.ids = coding.encode(text);
    require(!found.ids.empty(), "--text: holds no tokens");
    for (int32_t id : found.ids) found.words.push_back(coding.decode(id));
    return found;
  }
  if (!tokens.empty()) {
    found.ids = parse_token_list(tokens, "--tokens");
  } else {
    Rng rng(seed, "matrix.tokens");
    for (int64_t i = 0; i < random; ++i)
      found.ids.push_back(int32_t(rng.below(uint32_t(loaded.model->sizes().vocab))));
  }
  for (int32_t id : found.ids) found.words.push_back(fmt::to_string(id));
  return found;
}

}  // namespace star::cli
