#include "star/stop_words.h"

#include <algorithm>

namespace star::synthesis {

std::string StopWords::add(std::string_view piece) {
  if (ended_) return {};
  held_ += piece;
  size_t end = held_.npos, open = held_.size();  // of the text; where a word may have begun
  for (const std::string& word : words_) {
    end = std::min(end, held_.find(word));
    for (size_t n = std::min(word.size() - 1, held_.size()); n > 0; --n)
      if (held_.ends_with(std::string_view(word).substr(0, n))) {
        open = std::min(open, held_.size() - n);
        break;
      }
  }
  ended_ = end != held_.npos;
  std::string shown = held_.substr(0, ended_ ? end : open);
  held_.erase(0, ended_ ? held_.size() : open);
  return shown;
}

}  // namespace star::synthesis
