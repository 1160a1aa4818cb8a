#include "tools/tokenizer_option.h"

#include "core/error.h"
#include "star/tokenizer_file.h"
#include "star/training_record.h"

namespace star::cli {

void declare_tokenizer_option(CLI::App& app, std::string& path) {
  app.add_option("--tokenizer", path,
                 "A tokenizer.json, for a model that was trained on tokens without one (default: "
                 "that of the training, which the checkpoint carries)");
}

std::shared_ptr<const Tokenizer> tokenizer_for(const LoadedModel& loaded,
                                               const std::string& checkpoint,
                                               const std::string& given) {
  std::shared_ptr<const Tokenizer> tokenizer;
  const std::string& own = loaded.about.tokenizer;
  if (!given.empty()) {
    tokenizer = read_tokenizer(given);
    require(own.empty() || tokenizer_text(*tokenizer) == own,
            "--tokenizer {}: {} was trained with another one, which it carries", given, checkpoint);
  } else if (!own.empty()) {
    tokenizer =
        std::make_shared<const Tokenizer>(parse_tokenizer(own, checkpoint + ": its tokenizer"));
  }
  const int64_t vocab = loaded.model->sizes().vocab;
  require(!tokenizer || tokenizer->vocab() <= vocab,
          "{}: its tokenizer has {} tokens, the model {}", checkpoint,
          tokenizer ? tokenizer->vocab() : 0, vocab);
  return tokenizer;
}

TextCoding::TextCoding(const LoadedModel& loaded, const std::string& checkpoint,
                       const std::string& given)
    : tokenizer_(tokenizer_for(loaded, checkpoint, given)) {
  const int64_t vocab = loaded.model->sizes().vocab;
  require(tokenizer_ || tokens_are_bytes(training_record(loaded.about.training), vocab),
          "{}: its {} tokens are no bytes of text; --tokenizer says what they are", checkpoint,
          vocab);
}

std::vector<int32_t> TextCoding::encode(const std::string& text) const {
  if (tokenizer_) return tokenizer_->encode(text);
  std::vector<int32_t> tokens;
  for (unsigned char byte : text) tokens.push_back(byte);
  return tokens;
}

std::string TextCoding::decode(int32_t token) const {
  if (tokenizer_) return token < tokenizer_->vocab() ? tokenizer_->decode({&token, 1}) : "";
  return token < 256 ? std::string(1, char(token)) : "";
}

}  // namespace star::cli
