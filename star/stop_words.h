// Text that is shown as it comes, and ends before the first of some words: what may be the
// beginning of one is held back until it is known.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace star::synthesis {

class StopWords {
 public:
  // None of them is empty.
  explicit StopWords(std::vector<std::string> words) : words_(std::move(words)) {}

  // What may be shown, now that this has come.
  std::string add(std::string_view piece);
  bool ended() const { return ended_; }
  // What is still held back, where nothing comes any more.
  std::string rest() { return std::exchange(held_, {}); }

 private:
  std::vector<std::string> words_;
  std::string held_;
  bool ended_ = false;
};

}  // namespace star::synthesis
