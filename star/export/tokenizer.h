// The tokenizer that leaves with a model, for Hugging Face's libraries.
#pragma once

#include <optional>
#include <string>

#include "liv/backbone.h"
#include "star/checkpoint.h"
#include "star/tokenizer_file.h"

namespace star::synthesis {

// That of the checkpoint; of a model that was trained on bytes of text the one in which each byte is
// a token; otherwise none.
std::optional<Tokenizer> exported_tokenizer(const Backbone& model, const Checkpoint& about);

// tokenizer_config.json: what class transformers makes of tokenizer.json, and its end of text.
std::string tokenizer_config(const Tokenizer& tokenizer);

}  // namespace star::synthesis
