// Sequences of tokens as training data: the target is the next token.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "star/data.h"
#include "star/tokens.h"

namespace star::synthesis {

// The tokens of one file: its training, validation and test part, in the order of Split.
struct TokenFile {
  std::string name;
  std::array<Tokens, 3> parts;
};

// Where the parts of n bytes or tokens end: ⌊0.9 n⌋, ⌊0.95 n⌋, n.
std::array<size_t, 3> part_ends(size_t n);

// A file cut there, in order.
TokenFile cut(const std::string& name, const Tokens& tokens);

// What the tokens of some data are.
struct TokenKind {
  int vocab = 256;
  int32_t between = 0;          // stands between two training parts
  std::vector<int> bytes = {};  // of text that each token stands for; empty: unknown
  const char* unit = "tokens";  // as errors call them
};

// The training parts are joined, in order, to one sequence, a token between two of them, so that
// short files are learnt from as well as long ones. Training draws windows of L + 1 tokens uniformly
// from all of it; the token between two files is never a target.
//
// Evaluation cuts the part of each file into consecutive windows of L targets, each starting with
// the last target of the one before; a tail shorter than L is padded, so that every token of a part
// but its first is a target once. Where no file has L targets, windows are as long as the longest.
// A sample takes windows at equal distances in the sequence of all.
class TokenData : public Dataset {
 public:
  // `name` is what errors call the data. Error: no files, length < 1.
  TokenData(std::vector<TokenFile> files, TokenKind kind, int length, std::string name,
            std::string identity);

  int vocab() const override { return kind_.vocab; }
  int length() const override { return length_; }
  std::string identity() const override { return identity_; }
  std::vector<std::string> files() const override;
  std::vector<std::string> parts() const override { return {"text"}; }
  std::span<const int> token_bytes() const override { return kind_.bytes; }
  // Error: less than L + 1 tokens of training text; no target in the part.
  void check(Split split) const override;
  Batch train_batch(uint64_t seed, int64_t step, int sequences) const override;
  std::vector<int64_t> sample(Split split, int64_t tokens) const override;
  Batch evaluation(Split split, std::span<const int64_t> numbers) const override;

 private:
  void add_training_window(Batch& batch, uint64_t begin) const;

  // The batch, as it was read. Error: a file of tokens is another one by now.
  Batch checked(Batch batch) const;

  // Of a split: what each file begins with, counted over all files; the total at the end.
  struct Places {
    std::vector<uint64_t> windows{0}, targets{0};
    uint64_t longest = 1;  // targets of one file
  };
  const Places& places(Split split) const { return places_[size_t(split)]; }

  std::vector<TokenFile> files_;
  TokenKind kind_;
  int length_;
  std::string name_, identity_;
  Places places_[3];
  std::vector<uint64_t> joined_{0};  // where each training part begins in the joined sequence
};

}  // namespace star::synthesis
