#include "star/bpe_training.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "star/byte_level.h"

namespace star::synthesis {
namespace {

constexpr int kBytes = 256;

// Bytes in the order of the characters that they are written as.
std::vector<unsigned char> alphabet() {
  std::vector<unsigned char> bytes(kBytes);
  std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
  std::sort(bytes.begin(), bytes.end(),
            [](auto a, auto b) { return byte_character(a) < byte_character(b); });
  return bytes;
}

// A pair that may be merged, as often as it was known to occur when it was put into the queue, and
// the words in which it then was.
struct Candidate {
  int64_t count;
  uint64_t pair;
  std::vector<uint32_t> words;
  bool operator<(const Candidate& o) const {
    return count != o.count ? count < o.count : pair > o.pair;
  }
};

class Learner {
 public:
  Learner(const WordCounts& words, int vocab) : vocab_(vocab) {
    parts_.words = words.words();
    add_token(kEndOfText);
    parts_.added.push_back({0, kEndOfText, true});
    std::vector<int32_t> token_of(kBytes);
    for (unsigned char byte : alphabet()) token_of[byte] = add_token(std::string(1, char(byte)));
    for (auto& [text, count] : words.counts()) {
      std::vector<int32_t> word;
      for (unsigned char byte : text) word.push_back(token_of[byte]);
      words_.push_back(std::move(word));
      counts_.push_back(count);
      bytes_ += count * int64_t(text.size());
    }
    for (uint32_t w = 0; w < words_.size(); ++w)
      for (size_t i = 0; i + 1 < words_[w].size(); ++i)
        change(pair_key(words_[w][i], words_[w][i + 1]), counts_[w], w);
    enqueue_new();
  }

  LearntBpe learn() {
    while (int(parts_.tokens.size()) < vocab_ && !queue_.empty()) {
      Candidate best = next();
      const int64_t now = count_of_[best.pair];
      if (best.count != now) {  // it has become rarer, or more frequent, since
        best.count = now;
        put(std::move(best));
        continue;
      }
      if (best.count < 1) break;
      merge(best);
    }
    LearntBpe learnt{std::move(parts_), bytes_, 0};
    learnt.parts.merges = last_of_each(merges_);
    for (size_t w = 0; w < words_.size(); ++w)
      learnt.tokens += counts_[w] * int64_t(words_[w].size());
    return learnt;
  }

 private:
  int32_t add_token(const std::string& text) {
    const auto [at, added] = id_of_.emplace(text, int32_t(parts_.tokens.size()));
    if (added) parts_.tokens.push_back(text);
    return at->second;
  }

  void put(Candidate candidate) {
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end());
  }

  Candidate next() {
    std::pop_heap(queue_.begin(), queue_.end());
    Candidate best = std::move(queue_.back());
    queue_.pop_back();
    return best;
  }

  void change(uint64_t pair, int64_t by, uint32_t word) {
    count_of_[pair] += by;
    if (by < 0) return;
    std::vector<uint32_t>& words = new_in_[pair];
    if (words.empty() || words.back() != word) words.push_back(word);
  }

  void enqueue_new() {
    for (auto& [pair, words] : new_in_)
      if (const int64_t count = count_of_[pair]; count > 0) put({count, pair, std::move(words)});
    new_in_.clear();
  }

  void merge(const Candidate& best) {
    const auto left = int32_t(best.pair >> 32), right = int32_t(best.pair & 0xffffffff);
    // Two ways of merging may lead to one token.
    const int32_t result = add_token(parts_.tokens[size_t(left)] + parts_.tokens[size_t(right)]);
    merges_.push_back({left, right, result});
    for (uint32_t w : best.words) merge_in(w, left, right, result);
    enqueue_new();
  }

  // From left to right. The pair's own count stays: it is asked for no more, but for a token that
  // two ways lead to, where theirs stays too.
  void merge_in(uint32_t w, int32_t left, int32_t right, int32_t result) {
    std::vector<int32_t>& word = words_[w];
    const int64_t count = counts_[w];
    size_t to = 0;
    for (size_t from = 0; from < word.size(); ++from, ++to) {
      word[to] = word[from];
      if (word[from] != left || from + 1 == word.size() || word[from + 1] != right) continue;
      word[to] = result;
      ++from;
      if (to > 0) {
        change(pair_key(word[to - 1], left), -count, w);
        change(pair_key(word[to - 1], result), count, w);
      }
      if (from + 1 < word.size()) {
        change(pair_key(right, word[from + 1]), -count, w);
        change(pair_key(result, word[from + 1]), count, w);
      }
    }
    word.resize(to);
  }

  // Of a pair that was merged twice the later rank counts.
  static std::vector<Merge> last_of_each(const std::vector<Merge>& merges) {
    std::unordered_map<uint64_t, size_t> last;
    for (size_t i = 0; i < merges.size(); ++i) last[pair_key(merges[i].left, merges[i].right)] = i;
    std::vector<Merge> kept;
    for (size_t i = 0; i < merges.size(); ++i)
      if (last[pair_key(merges[i].left, merges[i].right)] == i) kept.push_back(merges[i]);
    return kept;
  }

  int vocab_;
  TokenizerParts parts_;
  std::unordered_map<std::string, int32_t> id_of_;
  std::vector<std::vector<int32_t>> words_;
  std::vector<int64_t> counts_;
  int64_t bytes_ = 0;
  std::vector<Merge> merges_;
  std::unordered_map<uint64_t, int64_t> count_of_;              // of each pair
  std::unordered_map<uint64_t, std::vector<uint32_t>> new_in_;  // words that a merge brought it to
  std::vector<Candidate> queue_;                                // a heap
};

}  // namespace

void WordCounts::add(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = word_end(text, at, words_);
    const std::string_view word = text.substr(at, end - at);
    if (auto known = counts_.find(word); known != counts_.end())
      ++known->second;
    else
      counts_.emplace(word, 1);
    at = end;
  }
}

LearntBpe learn_bpe(const WordCounts& words, int vocab) {
  require(vocab > kBytes, "a tokenizer of {} tokens; {} bytes and the end of text take {}", vocab,
          kBytes, kBytes + 1);
  return Learner(words, vocab).learn();
}

}  // namespace star::synthesis
