// How text falls into the words within which bytes are merged. Tokenizers say it by a regular
// expression; of those that are in use, these are written out as scanners:
//
//   gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   llama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//            ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//   qwen2   as llama3, with \p{N} alone
//   whole   all of the text is one word
//
// Letters and numbers are those of Unicode (utf8proc). Bytes that are no UTF-8 are a character each,
// neither letter nor number nor white space.
#pragma once

#include <string>
#include <string_view>

namespace star::synthesis {

enum class Words { whole, gpt2, llama3, qwen2 };

// Where the word ends that begins at `at`, which lies within the text.
size_t word_end(std::string_view text, size_t at, Words words);

// The regular expression, and whose it is; empty for `whole`. Error: nobody's that is known.
std::string regex_of(Words words);
Words words_of(const std::string& regex, const std::string& name);

}  // namespace star::synthesis
