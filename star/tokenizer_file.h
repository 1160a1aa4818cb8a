// Tokenizers as files: Hugging Face's tokenizer.json, of byte-level byte-pair encoding.
//
// What the file says is what the numbers of tokens follow from; whatever in it would make other ones
// than encode() does is refused. Read, and without effect on them, are decoders and
// post-processors: text is encoded as by their encode(text, add_special_tokens=False).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "star/tokenizer.h"

namespace star::synthesis {

inline constexpr int kLargestTokenizer = 1 << 20;  // tokens, four times what the largest have

// `name` is what errors call the text. Error: no JSON, or not what is told above; it names the part.
Tokenizer parse_tokenizer(std::string_view text, const std::string& name);

std::shared_ptr<const Tokenizer> read_tokenizer(const std::string& path);

// In that form, the same for equal tokenizers, however they were written.
std::string tokenizer_text(const Tokenizer& tokenizer);

}  // namespace star::synthesis
