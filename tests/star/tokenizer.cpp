#include "star/tokenizer.h"

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "star/bpe_training.h"
#include "star/byte_level.h"
#include "star/data_source.h"
#include "star/text.h"
#include "star/tokenizer_file.h"
#include "tests/fault.h"
#include "tests/sources.h"
#include "tests/temporary.h"

using namespace star;
using namespace star::synthesis;
using Json = nlohmann::json;

namespace {

// What Hugging Face's library makes of the same texts (tests/golden/tokenizer.py).
const Json& golden() {
  static const Json json = Json::parse(star::source_text("tests/golden/tokenizer.json"));
  return json;
}

Tokenizer theirs() { return parse_tokenizer(golden()["tokenizer"].dump(), "theirs"); }

Tokenizer learnt(const std::string& text, int vocab) {
  WordCounts words(Words::gpt2);
  words.add(text);
  return Tokenizer(learn_bpe(words, vocab).parts, "learnt");
}

std::string random_text(Rng& rng, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += char(rng.chance(0.5) ? 'a' + rng.below(4) : rng.bits());
  return text;
}

// Merges in the order of their ranks, each everywhere from left to right, until none is left.
std::vector<int32_t> encode_slowly(std::vector<int32_t> word, const std::vector<Merge>& merges) {
  for (bool again = true; again;) {
    again = false;
    for (const Merge& m : merges) {
      for (size_t i = 0; i + 1 < word.size(); ++i)
        if (word[i] == m.left && word[i + 1] == m.right) {
          word[i] = m.result;
          word.erase(word.begin() + int64_t(i) + 1);
          again = true;
        }
      if (again) break;
    }
  }
  return word;
}

}  // namespace

TEST_CASE("tokenizer: every byte has a character of its own, and comes back") {
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, char(byte)), character = byte_level(one);
    CHECK(seen.insert(character).second);
    CHECK(from_byte_level(character) == one);
  }
  CHECK(byte_level("a b\n") == "a\u0120b\u010a");
  for (const char* other : {" ", "\n", "\u0144", "\u00ad", "\u4e2d", "\xc4", "\xc0\x81", "a\xff"})
    CHECK(!from_byte_level(other));
}

TEST_CASE("tokenizer: texts fall into the words of each regular expression") {
  for (const Json& one : golden()["texts"]) {
    const std::string text = one["text"];
    CAPTURE(one.dump());
    for (const auto& [name, words] :
         {std::pair("gpt2", Words::gpt2), std::pair("llama3", Words::llama3),
          std::pair("qwen2", Words::qwen2)}) {
      std::vector<size_t> lengths;
      for (size_t at = 0, end = 0; at < text.size(); at = end)
        lengths.push_back((end = word_end(text, at, words)) - at);
      CHECK(lengths == one["words"][name].get<std::vector<size_t>>());
      CHECK((words_of(regex_of(words), "known") == words));
    }
  }
}

TEST_CASE("tokenizer: what is learnt is what Hugging Face's trainer learns") {
  const std::string corpus = golden()["corpus"];
  Json want = golden()["tokenizer"];
  for (Json& merge : want["model"]["merges"])  // which may be written either way
    if (merge.is_array()) merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  WordCounts words(Words::gpt2);
  words.add(corpus);
  LearntBpe learnt = learn_bpe(words, golden()["vocab"]);
  CHECK(learnt.bytes == int64_t(corpus.size()));
  CHECK(learnt.tokens == int64_t(golden()["corpus_tokens"].size()));
  const Tokenizer ours(std::move(learnt.parts), "ours");
  CHECK(Json::parse(tokenizer_text(ours)) == want);
}

TEST_CASE("tokenizer: the tokens of text are those of Hugging Face's library") {
  const Tokenizer tokenizer = theirs();
  CHECK(tokenizer.vocab() == golden()["vocab"]);
  CHECK(tokenizer.encode(golden()["corpus"].get<std::string>()) ==
        golden()["corpus_tokens"].get<std::vector<int32_t>>());
  for (const Json& one : golden()["texts"])
    CHECK_MESSAGE(tokenizer.encode(one["text"].get<std::string>()) ==
                      one["tokens"].get<std::vector<int32_t>>(),
                  one.dump());
}

TEST_CASE("tokenizer: any bytes come back, whatever the tokenizer") {
  Rng rng(4, "test.tokenizer");
  for (Words words : {Words::whole, Words::gpt2, Words::llama3, Words::qwen2}) {
    TokenizerParts parts = theirs().parts();
    parts.words = words;
    parts.whole_words = rng.chance(0.5);
    const Tokenizer tokenizer(parts, "t");
    const std::vector<int> bytes = tokenizer.token_bytes();
    for (int trial = 0; trial < 60; ++trial) {
      const std::string text = random_text(rng, rng.below(300));
      const std::vector<int32_t> tokens = tokenizer.encode(text);
      CHECK(tokenizer.decode(tokens) == text);
      size_t sum = 0;
      for (int32_t token : tokens) sum += size_t(bytes[size_t(token)]);
      CHECK(sum == text.size());
    }
  }
}

TEST_CASE("tokenizer: merging by a queue is merging rank by rank") {
  Rng rng(5, "test.bpe");
  const Tokenizer tokenizer = learnt(random_text(rng, 20000), 400);
  TokenizerParts parts = tokenizer.parts();
  parts.words = Words::whole;
  parts.added.clear();
  const Tokenizer whole(parts, "whole");
  std::map<char, int32_t> of_byte;
  for (size_t id = 0; id < parts.tokens.size(); ++id)
    if (parts.tokens[id].size() == 1) of_byte[parts.tokens[id][0]] = int32_t(id);
  for (int trial = 0; trial < 100; ++trial) {
    const std::string text = random_text(rng, rng.below(40));
    std::vector<int32_t> word;
    for (char c : text) word.push_back(of_byte.at(c));
    CHECK(whole.encode(text) == encode_slowly(word, parts.merges));
  }
}

TEST_CASE("tokenizer: added tokens are found in text, the longest first, the late ones last") {
  TokenizerParts parts = theirs().parts();
  for (const auto& [text, late] :
       {std::pair("<|end", false), std::pair("of", true), std::pair("xofx", false)}) {
    parts.added.push_back({int32_t(parts.tokens.size()), text, true, late});
    parts.tokens.push_back(text);
  }
  const Tokenizer tokenizer(parts, "t");
  const int32_t end = 0, part = int32_t(parts.tokens.size()) - 3, of = part + 1, inner = part + 2;
  CHECK(tokenizer.encode("<|endoftext|>") == std::vector<int32_t>{end});
  CHECK(tokenizer.encode("<|endof").front() == part);
  CHECK(tokenizer.encode("<|endof").back() == of);
  CHECK(tokenizer.encode("xofxof") == std::vector<int32_t>{inner, of});
  CHECK(tokenizer.separator() == end);
  // It stands for one byte, as between documents of bytes, and the others for their text.
  CHECK(tokenizer.token_bytes()[size_t(end)] == 1);
  CHECK(tokenizer.token_bytes()[size_t(of)] == 2);
  parts.added.clear();
  CHECK(Tokenizer(parts, "t").separator() == theirs().encode(std::string(1, '\0')).at(0));
}

TEST_CASE("tokenizer: a word that is a token is one where merges are ignored") {
  TokenizerParts parts = theirs().parts();
  const int32_t own = int32_t(parts.tokens.size());
  parts.tokens.push_back(" xyzzy");
  CHECK(Tokenizer(parts, "t").encode(" xyzzy").size() > 1);
  parts.whole_words = true;
  CHECK(Tokenizer(parts, "t").encode(" xyzzy") == std::vector<int32_t>{own});
}

TEST_CASE("tokenizer: its file comes back, and one that is written otherwise is the same") {
  TokenizerParts parts = theirs().parts();
  for (Words words : {Words::whole, Words::gpt2, Words::llama3, Words::qwen2}) {
    parts.words = words;
    parts.whole_words = !parts.whole_words;
    const std::string text = tokenizer_text(Tokenizer(parts, "t"));
    const Tokenizer again = parse_tokenizer(text, "again");
    CHECK((again.parts().words == words));
    CHECK(again.parts().tokens == parts.tokens);
    CHECK(tokenizer_text(again) == text);
    Json pairs = Json::parse(text);
    for (Json& merge : pairs["model"]["merges"]) {
      const std::string both = merge;
      const size_t space = both.find(' ');
      merge = {both.substr(0, space), both.substr(space + 1)};
    }
    CHECK(tokenizer_text(parse_tokenizer(pairs.dump(2), "pairs")) == text);
  }
}

TEST_CASE("tokenizer: what would make other tokens is refused, and named") {
  const Json good = golden()["tokenizer"];
  const std::pair<Json::json_pointer, Json> changes[] = {
      {"/normalizer"_json_pointer, {{"type", "NFC"}}},
      {"/truncation"_json_pointer, {{"max_length", 3}}},
      {"/padding"_json_pointer, {{"pad_id", 0}}},
      {"/model/type"_json_pointer, "WordPiece"},
      {"/model/dropout"_json_pointer, 0.1},
      {"/model/byte_fallback"_json_pointer, true},
      {"/model/end_of_word_suffix"_json_pointer, "</w>"},
      {"/model/continuing_subword_prefix"_json_pointer, "##"},
      {"/pre_tokenizer/type"_json_pointer, "Whitespace"},
      {"/pre_tokenizer/add_prefix_space"_json_pointer, true},
      {"/added_tokens/0/lstrip"_json_pointer, true},
      {"/added_tokens/0/single_word"_json_pointer, true},
  };
  for (const auto& [place, value] : changes) {
    Json changed = good;
    changed[place] = value;
    const std::string fault = fault_of([&] { parse_tokenizer(changed.dump(), "f.json"); });
    const std::string name = place.back() == "type" ? value.get<std::string>() : place.back();
    CHECK_MESSAGE(fault.find("f.json: ") == 0, fault);
    CHECK_MESSAGE(fault.find(name) != fault.npos, fault);
  }
  Json changed = good;
  changed["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", "\\d"}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  CHECK(fault_of([&] { parse_tokenizer(changed.dump(), "f"); }).find("`\\d`") != std::string::npos);
  changed["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = regex_of(Words::llama3);
  CHECK((parse_tokenizer(changed.dump(), "f").parts().words == Words::llama3));
  changed["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "MergedWithNext";
  CHECK(fault_of([&] { parse_tokenizer(changed.dump(), "f"); }).find("MergedWithNext") !=
        std::string::npos);
  // What only undoes the tokens, or would add to them on demand, is no matter.
  changed = good;
  changed["decoder"] = nullptr;
  changed["post_processor"] = {{"type", "TemplateProcessing"}};
  CHECK(tokenizer_text(parse_tokenizer(changed.dump(), "f")) == tokenizer_text(theirs()));
}

TEST_CASE("tokenizer: a damaged file is a line") {
  const Json good = golden()["tokenizer"];
  auto fault = [&](auto&& change) {
    Json changed = good;
    change(changed);
    return fault_of([&] { parse_tokenizer(changed.dump(), "f"); });
  };
  auto says = [&](const std::string& text, const char* what) {
    CHECK_MESSAGE(text.find(what) != text.npos, text);
  };
  says(fault([](Json& j) { j["model"]["vocab"].erase("a"); }), "f: ");
  says(fault([](Json& j) {
         j["model"]["merges"] = Json::array();
         j["model"]["vocab"].erase("~");
       }),
       "0x7e has no token");
  says(fault([](Json& j) { j["model"]["merges"].push_back("q"); }), "is no pair");
  says(fault([](Json& j) { j["model"]["merges"].push_back("q qqqqq"); }), "not in the vocabulary");
  says(fault([](Json& j) { j["model"]["vocab"]["qqqq"] = 3; }), "given to two tokens");
  says(fault([](Json& j) { j["model"]["vocab"]["qqqq"] = 1e9; }), "none");
  says(fault([](Json& j) { j["model"]["vocab"]["qqqq"] = int64_t(1) << 40; }), "1099511627776");
  says(fault([](Json& j) { j["model"]["vocab"]["\u4e2d"] = 5000; }), "not of bytes");
  says(fault([](Json& j) { j["added_tokens"][0]["id"] = 5; }), "given to two tokens");
  says(fault([](Json& j) { j["added_tokens"][0]["content"] = ""; }), "is empty");
  says(fault([](Json& j) { j.erase("model"); }), "no model");
  CHECK(fault_of([&] { parse_tokenizer("{", "f"); }).find("f") == 0);
  WordCounts words(Words::gpt2);
  CHECK(fault_of([&] { learn_bpe(words, 256); }) != "");
  CHECK(learn_bpe(words, 300).parts.tokens.size() == 257);
}

TEST_CASE("tokenizer: data by one has the parts of the text, and its bytes") {
  TemporaryFolder folder;
  Rng rng(6, "test.tokenized");
  const std::string text = golden()["corpus"].get<std::string>() + random_text(rng, 500);
  const std::string_view pieces[] = {text};
  write_file(folder.file("a.txt"), pieces);
  const std::string lines = R"({"text":"one two"})"
                            "\n"
                            R"({"text":"three"})"
                            "\n";
  const std::string_view other[] = {lines};
  write_file(folder.file("b.jsonl"), other);
  DataSource source{.path = folder.file("a.txt")};
  source.tokenizer = std::make_shared<const Tokenizer>(theirs());
  const OpenedData plain = open_data({.path = source.path}, 8), opened = open_data(source, 8);
  CHECK(opened.data->vocab() == source.tokenizer->vocab());
  CHECK(opened.data->identity().find(plain.data->identity() + ", by tokenizer ") == 0);
  const auto bytes = opened.data->token_bytes();
  for (Split split : {Split::train, Split::validation, Split::test}) {
    std::vector<int32_t> tokens;
    std::string want;
    const Batch all = opened.data->evaluation(split, opened.data->sample(split, 0));
    const Batch letters = plain.data->evaluation(split, plain.data->sample(split, 0));
    tokens.push_back(all.tokens[0]);
    want += char(letters.tokens[0]);
    int64_t judged = 0;
    for (int32_t t : all.targets)
      if (t != kIgnored) tokens.push_back(t), judged += bytes[size_t(t)];
    for (int32_t t : letters.targets)
      if (t != kIgnored) want += char(t);
    CHECK(source.tokenizer->decode(tokens) == want);
    CHECK(judged == int64_t(want.size()) - bytes[size_t(all.tokens[0])]);
  }
  // Documents are parted by the end of text.
  source.path = folder.file("b.jsonl");
  const Batch documents = open_data(source, 4).data->train_batch(1, 0, 20);
  const int32_t end = source.tokenizer->separator();
  CHECK(std::count(documents.targets.begin(), documents.targets.end(), end) > 0);
  source.vocab = 10;
  CHECK(fault_of([&] { open_data(source, 4); }).find("a vocabulary of 10") != std::string::npos);
  source.vocab = 1024;
  CHECK(open_data(source, 4).data->vocab() == 1024);
}
