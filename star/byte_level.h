// Bytes as text, one visible character each: how byte-level tokenizers write their tokens (GPT-2).
// A byte that is a visible character of Latin-1 stands for itself, the others for U+0100 and on, in
// their order.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace star::synthesis {

// The code point of a byte.
int byte_character(unsigned char byte);

// Any bytes as UTF-8, and back; none where the text has another character.
std::string byte_level(std::string_view bytes);
std::optional<std::string> from_byte_level(std::string_view text);

}  // namespace star::synthesis
