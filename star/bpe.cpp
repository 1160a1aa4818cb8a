#include "star/bpe.h"

#include <queue>

namespace star::synthesis {

Bpe::Bpe(std::vector<int32_t> bytes, const std::vector<Merge>& merges,
         std::unordered_map<std::string, int32_t> whole)
    : bytes_(std::move(bytes)), whole_(std::move(whole)) {
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank)
    merges_[pair_key(merges[rank].left, merges[rank].right)] = {int32_t(rank), merges[rank].result};
}

const Bpe::Ranked* Bpe::merge_of(int32_t left, int32_t right) const {
  const auto at = merges_.find(pair_key(left, right));
  return at == merges_.end() ? nullptr : &at->second;
}

void Bpe::encode(std::string_view word, std::vector<int32_t>& tokens) const {
  if (!whole_.empty())
    if (const auto at = whole_.find(std::string(word)); at != whole_.end())
      return tokens.push_back(at->second);

  // A list of what is left, and the merges that are possible in it, the least rank first. One that
  // a later merge made impossible is found to be so when its turn comes.
  struct Symbol {
    int32_t token;
    size_t before, after;
    bool gone = false;
  };
  struct Candidate {
    int32_t rank, result;
    size_t at;
    bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
  };
  const size_t end = word.size();
  std::vector<Symbol> symbols;
  symbols.reserve(end);
  for (size_t i = 0; i < end; ++i)
    symbols.push_back({bytes_[static_cast<unsigned char>(word[i])], i == 0 ? end : i - 1, i + 1});
  std::priority_queue<Candidate> queue;
  auto consider = [&](size_t at) {
    if (at == end || symbols[at].after == end) return;
    if (const Ranked* merge = merge_of(symbols[at].token, symbols[symbols[at].after].token))
      queue.push({merge->rank, merge->result, at});
  };
  for (size_t i = 0; i < end; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.at];
    if (left.gone || left.after == end) continue;
    Symbol& right = symbols[left.after];
    const Ranked* merge = merge_of(left.token, right.token);
    if (!merge || merge->result != best.result) continue;
    left.token = best.result;
    left.after = right.after;
    right.gone = true;
    if (left.after != end) symbols[left.after].before = best.at;
    consider(left.before);
    consider(best.at);
  }
  for (size_t i = 0; i < end; i = symbols[i].after) tokens.push_back(symbols[i].token);
}

}  // namespace star::synthesis
