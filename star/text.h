// Text as training data: bytes are tokens, V = 256, the target is the next byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "star/data.h"
#include "star/pack.h"

namespace star {

// A file, or the regular files of a folder and its subfolders in the order of their paths. Errors:
// missing, unreadable, or nothing but empty files.
std::vector<TextFile> read_text(const std::string& path);

// Each file is cut in order into 90 % training, 5 % validation and 5 % test, at ⌊0.9 n⌋ and
// ⌊0.95 n⌋ bytes.
//
// Training draws windows of L + 1 bytes uniformly from all that lie within the training part of one
// file; a part shorter than that offers none. Evaluation cuts a part into consecutive windows of L
// targets, each window starting with the last target of the one before; a tail shorter than L is
// padded, so that every byte of a part but its first is a target once. It stops after the first
// L·sequences·batches targets.
class TextData : public Dataset {
 public:
  // `name` is what errors call the text. Error: no text, length < 1.
  TextData(std::vector<TextFile> files, int length, std::string name);

  int vocab() const override { return 256; }
  int length() const override { return length_; }
  std::string identity() const override;
  std::vector<std::string> parts() const override { return {"text"}; }
  // Error: no training window of L + 1 bytes; no target in the part.
  void check(Split split) const override;
  Batch train_batch(uint64_t seed, int64_t step, int sequences) const override;
  std::vector<Batch> evaluation(Split split, int sequences, int batches = 64) const override;

 private:
  std::string_view part_of(const TextFile& file, Split split) const;

  std::vector<TextFile> files_;
  int length_;
  std::string name_;
  std::vector<uint64_t>
      first_window_;  // of each file, counted over all files; the total at the end
};

}  // namespace star
