// Where what was not generated comes from: files of text or of tokens, and how they are read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "star/data.h"
#include "star/tokenizer.h"

namespace star::synthesis {

struct DataSource {
  std::string path;             // as find_data takes it (star/data_files.h), or "-": standard input
  std::string text_field = {};  // of JSON lines; empty: "text"
  int64_t vocab = 0;            // a vocabulary of so many tokens; 0: of as many as there are
  // What makes tokens of text, and says what those of token files stand for; null: bytes.
  std::shared_ptr<const Tokenizer> tokenizer = {};
};

struct OpenedData {
  std::unique_ptr<Dataset> data;
  std::string warning;  // a line on what was not read or had to be guessed; empty: none
};

// In sequences of `length` tokens. Text is cut into its parts before it is made tokens of, so that
// they are the same text by any tokenizer. The vocabulary is that of the tokenizer; without one it
// is 256 for text, and for token files the largest token and one, of which the warning tells. One
// that is asked for may be larger. Standard input is JSON lines where a field is named. Errors: of
// find_data and of reading; a vocabulary that is too small.
OpenedData open_data(const DataSource& source, int length);

}  // namespace star::synthesis
