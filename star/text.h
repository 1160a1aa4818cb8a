// Text as training data: bytes are tokens, V = 256, the target is the next byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "star/data.h"
#include "star/pack.h"

namespace star::synthesis {

// What a folder holds and is no text to learn from: what the program itself wrote (run files,
// checkpoints, reports), links that lead nowhere or to what is read already, what is no file.
struct LeftOut {
  std::string path, why;
  uint64_t bytes = 0;
};

struct TextFiles {
  std::vector<TextFile> files;  // none is empty
  std::vector<LeftOut> left_out;
  std::string
      no_text;  // what the one file that was named is by its first bytes, if that is no text
};

// A file, or all files of a folder and its subfolders in the order of their paths. Links are
// followed, and nothing is read twice. Errors name the place: missing, unreadable, written to by
// this very process, or nothing but empty files.
TextFiles read_text(const std::string& path);

// What there is to warn of: "left out 3 of 40 files, 12.5 % of the bytes: a.run (a run file), …",
// or that the file that was named is no text; empty where there is nothing.
std::string warning_of(const TextFiles& text);

// Each file is cut in order into 90 % training, 5 % validation and 5 % test, at ⌊0.9 n⌋ and
// ⌊0.95 n⌋ bytes.
//
// The training parts are joined, in order, to one text, a byte 0 between two of them, so that short
// files are learnt from as well as long ones. Training draws windows of L + 1 bytes uniformly from
// all of this text; the byte between two files is never a target.
//
// Evaluation cuts the part of each file into consecutive windows of L targets, each starting with
// the last target of the one before; a tail shorter than L is padded, so that every byte of a part
// but its first is a target once. A sample takes windows at equal distances in the sequence of all.
class TextData : public Dataset {
 public:
  // `name` is what errors call the text. Error: no text, length < 1.
  TextData(std::vector<TextFile> files, int length, std::string name);

  int vocab() const override { return 256; }
  int length() const override { return length_; }
  std::string identity() const override;
  std::vector<std::string> files() const override;
  std::vector<std::string> parts() const override { return {"text"}; }
  bool tokens_are_bytes() const override { return true; }
  // Error: less than L + 1 bytes of training text; no target in the part.
  void check(Split split) const override;
  Batch train_batch(uint64_t seed, int64_t step, int sequences) const override;
  std::vector<int64_t> sample(Split split, int64_t tokens) const override;
  Batch evaluation(Split split, std::span<const int64_t> numbers) const override;

 private:
  std::string_view part_of(const TextFile& file, Split split) const;
  void add_training_window(Batch& batch, uint64_t begin) const;

  // Of a split: what each file begins with, counted over all files; the total at the end.
  struct Places {
    std::vector<uint64_t> windows{0}, targets{0};
  };
  const Places& places(Split split) const { return places_[size_t(split)]; }

  std::vector<TextFile> files_;
  int length_;
  std::string name_;
  Places places_[3];
  std::vector<uint64_t> joined_{0};  // where each training part begins in the joined text
};

}  // namespace star::synthesis
