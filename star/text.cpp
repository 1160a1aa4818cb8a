#include "star/text.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"

namespace star {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> files_under(const std::string& folder) {
  std::vector<std::string> paths;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file()) paths.push_back(entry.path().string());
  } catch (const fs::filesystem_error& e) {
    fail("{}: {}", e.path1().empty() ? folder : e.path1().string(), e.code().message());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

const char* name_of(Split split) {
  return split == Split::train ? "training" : split == Split::validation ? "validation" : "test";
}

// Adds the row whose first token is text[begin], with up to `targets` targets.
void add_window(Batch& batch, std::string_view text, size_t begin, size_t targets) {
  for (size_t i = 0; i < size_t(batch.length); ++i) {
    bool inside = i < targets;
    batch.tokens.push_back(inside ? uint8_t(text[begin + i]) : 0);
    batch.targets.push_back(inside ? uint8_t(text[begin + i + 1]) : kIgnored);
  }
  batch.parts.push_back(0);
  ++batch.sequences;
}

}  // namespace

std::vector<TextFile> read_text(const std::string& path) {
  std::error_code error;
  auto status = fs::status(path, error);
  require(fs::exists(status), "{}: {}", path, error ? error.message() : "no such file or folder");
  std::vector<TextFile> files;
  if (fs::is_directory(status)) {
    for (const auto& name : files_under(path)) files.push_back({name, read_file(name)});
    require(!files.empty(), "{}: the folder holds no file", path);
  } else {
    files.push_back({path, read_file(path)});
  }
  std::erase_if(files, [](const auto& file) { return file.text.empty(); });
  require(!files.empty(), "{}: no text, only empty files", path);
  return files;
}

TextData::TextData(std::vector<TextFile> files, int length, std::string name)
    : files_(std::move(files)), length_(length), name_(std::move(name)) {
  require(length_ >= 1, "{}: sequences of {} tokens; at least 1 is needed", name_, length_);
  require(!files_.empty(), "{}: no text", name_);
  first_window_.push_back(0);
  for (const auto& file : files_) {
    size_t bytes = part_of(file, Split::train).size(), window = size_t(length_) + 1;
    first_window_.push_back(first_window_.back() + (bytes < window ? 0 : bytes - window + 1));
  }
}

std::string_view TextData::part_of(const TextFile& file, Split split) const {
  std::string_view text = file.text;
  size_t a = text.size() * 90 / 100, b = text.size() * 95 / 100;
  if (split == Split::train) return text.substr(0, a);
  return split == Split::validation ? text.substr(a, b - a) : text.substr(b);
}

std::string TextData::identity() const {
  uint64_t hash = 0, bytes = 0;
  for (const auto& file : files_) {
    hash = hash * 0x100000001b3u + hash_text(file.text);
    bytes += file.text.size();
  }
  return fmt::format("text of {} bytes in {} files, {:016x}", bytes, files_.size(), hash);
}

void TextData::check(Split split) const {
  if (split == Split::train) {
    require(first_window_.back() > 0,
            "{}: too short: no file has {} bytes of training text (90 %), one window of {} tokens",
            name_, length_ + 1, length_);
  } else {
    bool some = std::any_of(files_.begin(), files_.end(),
                            [&](const auto& file) { return part_of(file, split).size() > 1; });
    require(some, "{}: too short: no file has two bytes of {} text (5 %)", name_, name_of(split));
  }
}

Batch TextData::train_batch(uint64_t seed, int64_t step, int sequences) const {
  check(Split::train);
  Rng rng(seed, "text", uint64_t(step));
  Batch batch;
  batch.length = length_;
  for (int s = 0; s < sequences; ++s) {
    uint64_t total = first_window_.back();
    uint64_t window = std::min(uint64_t(rng.uniform() * double(total)), total - 1);
    auto next = std::upper_bound(first_window_.begin(), first_window_.end(), window);
    size_t file = size_t(next - first_window_.begin()) - 1;
    add_window(batch, part_of(files_[file], Split::train), window - first_window_[file],
               size_t(length_));
  }
  return batch;
}

std::vector<Batch> TextData::evaluation(Split split, int sequences, int batches) const {
  require(sequences >= 1 && batches >= 1, "{}: evaluation on {} batches of {} sequences", name_,
          batches, sequences);
  check(split);
  size_t left = size_t(length_) * size_t(sequences) * size_t(batches);
  std::vector<Batch> result;
  for (const auto& file : files_) {
    auto text = part_of(file, split);
    for (size_t begin = 0; begin + 1 < text.size() && left > 0; begin += size_t(length_)) {
      if (result.empty() || result.back().sequences == sequences) {
        result.emplace_back();
        result.back().length = length_;
      }
      size_t targets = std::min({size_t(length_), text.size() - 1 - begin, left});
      add_window(result.back(), text, begin, targets);
      left -= targets;
    }
  }
  return result;
}

}  // namespace star
