#include "star/tokenizer.h"

#include <algorithm>

#include "core/error.h"

namespace star::synthesis {
namespace {

constexpr size_t kRememberedWords = 1 << 18;
constexpr size_t kRememberedLength = 64;  // longer ones hardly come again

// The names that tokenizers in use give the end of a text.
constexpr std::string_view kEnds[] = {kEndOfText, "<|end_of_text|>", "</s>", "<eos>", "[EOS]"};

std::vector<int32_t> tokens_of_bytes(const TokenizerParts& parts, const std::string& name) {
  std::vector<int32_t> of_byte(256, -1);
  for (size_t id = parts.tokens.size(); id-- > 0;)
    if (parts.tokens[id].size() == 1)
      of_byte[static_cast<unsigned char>(parts.tokens[id][0])] = int32_t(id);
  for (size_t byte = 0; byte < of_byte.size(); ++byte)
    require(of_byte[byte] >= 0, "{}: the byte 0x{:02x} has no token", name, byte);
  return of_byte;
}

void check_merges(const TokenizerParts& parts, const std::string& name) {
  const auto& tokens = parts.tokens;
  auto exists = [&](int32_t id) {
    return id >= 0 && size_t(id) < tokens.size() && !tokens[size_t(id)].empty();
  };
  for (const Merge& m : parts.merges)
    require(exists(m.left) && exists(m.right) && exists(m.result) &&
                tokens[size_t(m.left)] + tokens[size_t(m.right)] == tokens[size_t(m.result)],
            "{}: the merge of tokens {} and {} is not token {}", name, m.left, m.right, m.result);
}

}  // namespace

Tokenizer::Tokenizer(TokenizerParts parts, const std::string& name) : parts_(std::move(parts)) {
  const std::vector<int32_t> bytes = tokens_of_bytes(parts_, name);
  check_merges(parts_, name);
  std::unordered_map<std::string, int32_t> whole;
  if (parts_.whole_words)
    for (size_t id = parts_.tokens.size(); id-- > 0;)
      if (!parts_.tokens[id].empty()) whole[parts_.tokens[id]] = int32_t(id);
  for (const AddedToken& added : parts_.added) whole.erase(added.text);
  bpe_ = std::make_unique<const Bpe>(bytes, parts_.merges, std::move(whole));
  separator_ = bytes[0];
  size_t best = std::size(kEnds);
  for (const AddedToken& added : parts_.added) {
    added_[static_cast<unsigned char>(added.text[0])].push_back(&added);
    const size_t rank = size_t(std::find(std::begin(kEnds), std::end(kEnds), added.text) - kEnds);
    if (rank >= best) continue;
    best = rank;
    separator_ = added.id;
  }
  for (auto& list : added_)
    std::stable_sort(list.begin(), list.end(),
                     [](auto* a, auto* b) { return a->text.size() > b->text.size(); });
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int32_t> tokens;
  TokenEncoder(*this).encode(text, tokens);
  return tokens;
}

std::string Tokenizer::decode(std::span<const int32_t> tokens) const {
  std::string text;
  for (int32_t token : tokens) {
    require(token >= 0 && token < vocab(), "token {} is not in the vocabulary, 0…{}", token,
            vocab() - 1);
    text += parts_.tokens[size_t(token)];
  }
  return text;
}

std::vector<int> Tokenizer::token_bytes() const {
  std::vector<int> bytes;
  for (const std::string& token : parts_.tokens) bytes.push_back(int(token.size()));
  bytes[size_t(separator_)] = 1;
  return bytes;
}

void TokenEncoder::encode(std::string_view text, std::vector<int32_t>& tokens) {
  encode_between(text, false, tokens);
}

// Parts the text at the added tokens, first at those that are not late; of several that begin at
// one place the longest counts.
void TokenEncoder::encode_between(std::string_view text, bool late, std::vector<int32_t>& tokens) {
  auto rest = [&](std::string_view part) {
    if (part.empty()) return;
    late ? encode_words(part, tokens) : encode_between(part, true, tokens);
  };
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* found = nullptr;
    for (const AddedToken* added : tokenizer_.added_[static_cast<unsigned char>(text[at])])
      if (!found && added->late == late && text.substr(at).starts_with(added->text)) found = added;
    if (!found) {
      ++at;
      continue;
    }
    rest(text.substr(begin, at - begin));
    tokens.push_back(found->id);
    begin = at += found->text.size();
  }
  rest(text.substr(begin));
}

void TokenEncoder::encode_words(std::string_view text, std::vector<int32_t>& tokens) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = word_end(text, at, tokenizer_.parts_.words);
    const std::string_view word = text.substr(at, end - at);
    at = end;
    if (const auto known = known_.find(word); known != known_.end()) {
      tokens.insert(tokens.end(), known->second.begin(), known->second.end());
      continue;
    }
    const size_t before = tokens.size();
    tokenizer_.bpe_->encode(word, tokens);
    if (word.size() <= kRememberedLength && known_.size() < kRememberedWords)
      known_.emplace(word, std::vector<int32_t>(tokens.begin() + int64_t(before), tokens.end()));
  }
}

}  // namespace star::synthesis
