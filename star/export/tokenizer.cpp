#include "star/export/tokenizer.h"

#include <nlohmann/json.hpp>

#include "star/training_record.h"

namespace star::synthesis {
namespace {

Tokenizer byte_tokenizer() {
  TokenizerParts parts;
  for (int byte = 0; byte < 256; ++byte) parts.tokens.push_back(std::string(1, char(byte)));
  return Tokenizer(std::move(parts), "bytes");
}

}  // namespace

std::optional<Tokenizer> exported_tokenizer(const Backbone& model, const Checkpoint& about) {
  if (!about.tokenizer.empty()) return parse_tokenizer(about.tokenizer, "the tokenizer");
  const TrainingRecord record = training_record(about.training);
  const bool trained = !record.identity.empty();
  if (!trained || !tokens_are_bytes(record, model.sizes().vocab)) return {};
  return byte_tokenizer();
}

std::string tokenizer_config(const Tokenizer& tokenizer) {
  nlohmann::ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                   {"clean_up_tokenization_spaces", false}};
  for (const AddedToken& token : tokenizer.parts().added)
    if (token.id == tokenizer.separator()) config["eos_token"] = token.text;
  return config.dump(2) + "\n";
}

}  // namespace star::synthesis
