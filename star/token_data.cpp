#include "star/token_data.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/host_device.h"
#include "core/mapped_file.h"
#include "core/rng.h"

namespace star::synthesis {
namespace {

const char* name_of(Split split) {
  switch (split) {
    case Split::train:
      return "training";
    case Split::validation:
      return "validation";
    case Split::test:
      return "test";
  }
  fail("data: there is no split {}", int(split));
}

// Of which number `at` is, in counts that begin with 0 and end with the total.
size_t holder_of(const std::vector<uint64_t>& begins, uint64_t at) {
  return size_t(std::upper_bound(begins.begin(), begins.end(), at) - begins.begin()) - 1;
}

// Adds the row whose first token is part[begin], with up to L targets, padded to L.
void add_window(Batch& batch, const Tokens& part, size_t begin) {
  const size_t targets = std::min(size_t(batch.length), part.size() - 1 - begin);
  for (size_t i = 0; i < size_t(batch.length); ++i) {
    bool inside = i < targets;
    batch.tokens.push_back(inside ? part[begin + i] : 0);
    batch.targets.push_back(inside ? part[begin + i + 1] : kIgnored);
  }
}

}  // namespace

std::array<size_t, 3> part_ends(size_t n) { return {n * 90 / 100, n * 95 / 100, n}; }

TokenFile cut(const std::string& name, const Tokens& tokens) {
  const auto [a, b, end] = part_ends(tokens.size());
  return {name, {tokens.part(0, a), tokens.part(a, b), tokens.part(b, end)}};
}

TokenData::TokenData(std::vector<TokenFile> files, TokenKind kind, int length, std::string name,
                     std::string identity)
    : files_(std::move(files)),
      kind_(std::move(kind)),
      length_(length),
      name_(std::move(name)),
      identity_(std::move(identity)) {
  require(length_ >= 1, "{}: sequences of {} tokens; at least 1 is needed", name_, length_);
  require(!files_.empty(), "{}: no text", name_);
  for (const auto& file : files_) {
    for (Split split : {Split::train, Split::validation, Split::test}) {
      const size_t tokens = file.parts[size_t(split)].size();
      const uint64_t targets = tokens > 1 ? tokens - 1 : 0;
      Places& p = places_[size_t(split)];
      p.targets.push_back(p.targets.back() + targets);
      p.windows.push_back(p.windows.back() + uint64_t(blocks_of(int64_t(targets), length_)));
      p.longest = std::max(p.longest, targets);
    }
    const size_t tokens = file.parts[size_t(Split::train)].size();
    joined_.push_back(joined_.back() + (tokens ? tokens + 1 : 0));
  }
}

std::vector<std::string> TokenData::files() const {
  std::vector<std::string> paths;
  for (const auto& file : files_) paths.push_back(file.name);
  return paths;
}

void TokenData::check(Split split) const {
  if (split == Split::train)
    require(joined_.back() > uint64_t(length_) + 1,
            "{}: too short: there are not {} {} of training text (90 % of each file), one window "
            "of {} tokens",
            name_, length_ + 1, kind_.unit, length_);
  else
    require(places(split).targets.back() > 0, "{}: too short: no file has two {} of {} text (5 %)",
            name_, kind_.unit, name_of(split));
}

Batch TokenData::train_batch(uint64_t seed, int64_t step, int sequences) const {
  check(Split::train);
  Rng rng(seed, "text", uint64_t(step));
  Batch batch;
  batch.length = length_;
  const uint64_t windows = joined_.back() - 1 - uint64_t(length_);
  for (int s = 0; s < sequences; ++s) {
    uint64_t begin = uint64_t(rng.uniform() * double(windows));
    add_training_window(batch, std::min(begin, windows - 1));
  }
  batch.sequences = sequences;
  batch.parts.assign(size_t(sequences), 0);
  return checked(std::move(batch));
}

Batch TokenData::checked(Batch batch) const {
  MappedFile::require_whole();
  auto check = [&](int32_t token) {
    require(token >= 0 && token < kind_.vocab,
            "{}: token {} is not in the vocabulary, 0…{}: somebody writes to the file", name_,
            token, kind_.vocab - 1);
  };
  for (int32_t token : batch.tokens) check(token);
  for (int32_t target : batch.targets)
    if (target != kIgnored) check(target);
  return batch;
}

void TokenData::add_training_window(Batch& batch, uint64_t begin) const {
  size_t file = holder_of(joined_, begin), at = begin - joined_[file];
  const Tokens* part = &files_[file].parts[size_t(Split::train)];
  for (int i = 0; i <= length_; ++i, ++at) {
    if (at > part->size()) {
      do part = &files_[++file].parts[size_t(Split::train)];
      while (part->size() == 0);
      at = 0;
    }
    const bool inside = at < part->size();
    const int32_t token = inside ? (*part)[at] : kind_.between;
    if (i < length_) batch.tokens.push_back(token);
    if (i > 0) batch.targets.push_back(inside ? token : kIgnored);
  }
}

std::vector<int64_t> TokenData::sample(Split split, int64_t tokens) const {
  require(tokens >= 0, "{}: a sample of {} tokens", name_, tokens);
  check(split);
  const uint64_t targets = places(split).targets.back(), all = places(split).windows.back();
  uint64_t count = all;
  // Windows are cut short by the ends of files: so many hold as many targets on average.
  if (tokens > 0 && uint64_t(tokens) < targets)
    count = uint64_t(std::ceil(double(tokens) / double(targets) * double(all)));
  std::vector<int64_t> numbers(std::clamp<uint64_t>(count, 1, all));
  for (size_t i = 0; i < numbers.size(); ++i)  // the middle of the i-th of so many equal stretches
    numbers[i] = int64_t((double(i) + 0.5) * double(all) / double(numbers.size()));
  return numbers;
}

Batch TokenData::evaluation(Split split, std::span<const int64_t> numbers) const {
  const std::vector<uint64_t>& windows = places(split).windows;
  Batch batch;
  batch.length = int(std::min(uint64_t(length_), places(split).longest));
  batch.sequences = int(numbers.size());
  batch.parts.assign(numbers.size(), 0);
  for (int64_t number : numbers) {
    require(number >= 0 && uint64_t(number) < windows.back(), "{}: no window {} of {} in {} text",
            name_, number, windows.back(), name_of(split));
    const size_t file = holder_of(windows, uint64_t(number));
    add_window(batch, files_[file].parts[size_t(split)],
               (uint64_t(number) - windows[file]) * uint64_t(length_));
  }
  return checked(std::move(batch));
}

}  // namespace star::synthesis
