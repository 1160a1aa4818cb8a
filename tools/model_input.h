// What a trained model is given to read: a text, token numbers, or random tokens.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "star/checkpoint.h"

namespace star::cli {

struct ModelInput {
  std::string text, tokens, tokenizer;

  // --text, --tokens and --tokenizer.
  void declare(CLI::App& app);
  bool given() const { return !text.empty() || !tokens.empty(); }

  struct Read {
    std::vector<int32_t> ids;
    std::vector<std::string> words;  // as they are written
  };
  // Where nothing is given, so many random tokens. Errors: of what is given, which holds one at least.
  Read read(const LoadedModel& loaded, const std::string& checkpoint, int64_t random,
            uint64_t seed) const;
};

}  // namespace star::cli
