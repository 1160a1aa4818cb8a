// Text for a model and from it, by the tokenizer that its checkpoint carries or --tokenizer names.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "star/checkpoint.h"
#include "star/tokenizer.h"

namespace star::cli {

// --tokenizer, for those that take a checkpoint.
void declare_tokenizer_option(CLI::App& app, std::string& path);

// The tokenizer of a checkpoint, or where it has none that of the file `given`; null where neither
// says one. Error: the two differ; it has more tokens than the model.
std::shared_ptr<const Tokenizer> tokenizer_for(const LoadedModel& loaded,
                                               const std::string& checkpoint,
                                               const std::string& given);

// Text as tokens of a model and back: by its tokenizer, else as bytes.
class TextCoding {
 public:
  // Error: of tokenizer_for; the model has none, and its tokens are not bytes.
  TextCoding(const LoadedModel& loaded, const std::string& checkpoint, const std::string& given);

  std::vector<int32_t> encode(const std::string& text) const;
  // Empty for a token that stands for nothing.
  std::string decode(int32_t token) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;  // null: bytes
};

}  // namespace star::cli
