// Files of token numbers, as other programs leave them, read by mapping.
//
//   *.bin   of nanoGPT: uint16, nothing else. Of llm.c: 256 int32, of which the first is a mark, the
//           second a version, the third the number of tokens, then these: 20240520, version 1,
//           uint16; 20240801, version 7, uint32
//   *.npy   one dimension of uint8, uint16, uint32, int32 or int64
//
// All little-endian.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "star/token_data.h"
#include "star/tokens.h"

namespace star::synthesis {

// Whether the name says that it is a file of tokens.
bool is_token_file(const std::string& path);

// The tokens of such a file. Error, which names it: no such file, one that is damaged or of another
// type.
Tokens open_tokens(const std::string& path);

// The same from the content of a file; `owner` keeps that alive.
Tokens parse_tokens(std::shared_ptr<const void> owner, std::string_view content,
                    const std::string& path);

// Files of tokens as data, each cut in order as text is (star/text.h), by tokens.
struct TokenFiles {
  std::vector<TokenFile> files;
  std::string identity;  // of their content
  int64_t largest = 0;   // token
};

// All tokens are read once. Error: one outside a vocabulary of `vocab`, with its file and its
// index; 0: any that the program can hold.
TokenFiles open_token_files(const std::vector<std::string>& paths, int64_t vocab);

}  // namespace star::synthesis
