// Text as training data: bytes are tokens, V = 256.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "star/pack.h"
#include "star/token_data.h"

namespace star::synthesis {

// A line that tells texts apart.
std::string text_identity(const std::vector<TextFile>& files);

// Each file is cut in order into 90 % training, 5 % validation and 5 % test, at ⌊0.9 n⌋ and
// ⌊0.95 n⌋ bytes; a byte 0, which no text has, stands between two of them.
class TextData : public TokenData {
 public:
  // `name` is what errors call the text. Error: no text, length < 1.
  TextData(std::vector<TextFile> files, int length, std::string name, int vocab = 256);

 private:
  TextData(std::string identity, std::vector<TextFile>& files, int length, std::string name,
           int vocab);
};

}  // namespace star::synthesis
