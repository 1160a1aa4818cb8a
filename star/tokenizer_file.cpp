#include "star/tokenizer_file.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/rng.h"
#include "star/byte_level.h"

namespace star::synthesis {
namespace {

using Json = nlohmann::json;

// A field; null where there is none.
const Json& field(const Json& object, const char* name) {
  static const Json none;
  const auto at = object.find(name);
  return at == object.end() ? none : *at;
}

class FileReader {
 public:
  explicit FileReader(const std::string& name) : name_(name) {}

  TokenizerParts read(const Json& file) {
    need(file.is_object(), "it is no JSON object");
    for (const char* unused : {"normalizer", "truncation", "padding"})
      need(field(file, unused).is_null(), "its {} would make other tokens", unused);
    read_model(field(file, "model"));
    read_added(field(file, "added_tokens"));
    read_words(field(file, "pre_tokenizer"));
    return std::move(parts_);
  }

 private:
  template <class... Args>
  void need(bool ok, fmt::format_string<Args...> format, Args&&... args) const {
    if (!ok) fail("{}: {}", name_, fmt::format(format, std::forward<Args>(args)...));
  }

  std::string text(const Json& value, const char* what) const {
    need(value.is_string(), "{} is no text", what);
    return value.get<std::string>();
  }

  // Absent and null are false.
  bool flag(const Json& object, const char* what) const {
    const Json& value = field(object, what);
    need(value.is_null() || value.is_boolean(), "`{}` is no truth value", what);
    return value.is_boolean() && value.get<bool>();
  }

  int32_t token_number(const Json& value, const std::string& token) const {
    const bool whole = value.is_number_integer();
    const int64_t id = whole ? value.get<int64_t>() : -1;
    need(whole && id >= 0 && id < kLargestTokenizer, "the number of the token `{}` is {}",
         shown(token), whole ? fmt::format("{}", id) : "none");
    return int32_t(id);
  }

  static std::string shown(const std::string& text) { return text.substr(0, 60); }

  void put(int32_t id, const std::string& bytes) {
    auto& tokens = parts_.tokens;
    if (tokens.size() <= size_t(id)) tokens.resize(size_t(id) + 1);
    tokens[size_t(id)] = bytes;
  }

  void read_model(const Json& model) {
    need(model.is_object(), "it has no model");
    const Json& type = field(model, "type");  // which old files leave out
    need(type.is_null() || type == "BPE", "its model is {}, not BPE", type.dump());
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const std::string* text = field(model, affix).get_ptr<const std::string*>();
      need(text ? text->empty() : field(model, affix).is_null(),
           "its model has a {}, which is not byte-level", affix);
    }
    need(field(model, "dropout").is_null() || field(model, "dropout") == 0,
         "its model has dropout");
    need(!flag(model, "byte_fallback"), "its model has byte_fallback, which is not byte-level");
    parts_.whole_words = flag(model, "ignore_merges");
    const Json &vocab = field(model, "vocab"), &merges = field(model, "merges");
    need(vocab.is_object() && merges.is_array(), "its model has no vocabulary or no merges");
    for (auto& [token, number] : vocab.items()) {
      const int32_t id = token_number(number, token);
      need(ids_.emplace(token, id).second && taken_.insert(id).second,
           "the number {} is given to two tokens", id);
      // What is none of bytes has to be an added token, which is seen below.
      const std::optional<std::string> bytes = from_byte_level(token);
      if (!bytes) raw_.insert(id);
      put(id, bytes ? *bytes : token);
    }
    for (const Json& merge : merges) read_merge(merge);
  }

  // "a b", or ["a", "b"].
  void read_merge(const Json& merge) {
    std::string left, right;
    if (merge.is_string()) {
      const std::string both = merge.get<std::string>();
      const size_t space = both.find(' ');
      need(space != both.npos, "the merge `{}` is no pair", shown(both));
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else {
      need(merge.is_array() && merge.size() == 2, "the merge {} is no pair", shown(merge.dump()));
      left = text(merge[0], "half of a merge");
      right = text(merge[1], "half of a merge");
    }
    parts_.merges.push_back({known(left), known(right), known(left + right)});
  }

  int32_t known(const std::string& token) const {
    const auto at = ids_.find(token);
    need(at != ids_.end(), "`{}` is merged and not in the vocabulary", shown(token));
    return at->second;
  }

  void read_added(const Json& list) {
    need(list.is_null() || list.is_array(), "`added_tokens` is no list");
    for (const Json& entry : list) {
      need(entry.is_object(), "an added token is no object");
      const std::string content = text(field(entry, "content"), "the content of an added token");
      need(!content.empty(), "an added token is empty");
      for (const char* unknown : {"single_word", "lstrip", "rstrip"})
        need(!flag(entry, unknown), "the added token `{}` has {}", shown(content), unknown);
      const int32_t id = token_number(field(entry, "id"), content);
      const auto at = ids_.find(content);
      need(at == ids_.end() ? taken_.insert(id).second : at->second == id,
           "the number {} is given to two tokens", id);
      raw_.erase(id);
      put(id, content);
      parts_.added.push_back({id, content, flag(entry, "special"), flag(entry, "normalized")});
    }
    for (int32_t id : raw_)
      fail("{}: the token `{}` is not of bytes, as byte-level ones are", name_,
           shown(parts_.tokens[size_t(id)]));
  }

  // ByteLevel, which knows GPT-2's words, or Split by a regular expression and then ByteLevel.
  void read_words(const Json& pre) {
    if (is_of(pre, "ByteLevel")) {
      const Json& use_regex = field(pre, "use_regex");
      check_byte_level(pre);
      parts_.words = use_regex.is_null() || flag(pre, "use_regex") ? Words::gpt2 : Words::whole;
      return;
    }
    need(is_of(pre, "Sequence"), "its pre-tokenizer is {}, not ByteLevel, alone or after a Split",
         type_of(pre));
    const Json& steps = field(pre, "pretokenizers");
    need(steps.is_array() && steps.size() == 2 && is_of(steps[0], "Split") &&
             is_of(steps[1], "ByteLevel"),
         "its pre-tokenizers are not Split and ByteLevel");
    const Json &split = steps[0], &regex = field(field(split, "pattern"), "Regex");
    parts_.words = words_of(text(regex, "the pattern of its Split"), name_);
    const Json& behavior = field(split, "behavior");
    // All of a text is matched, so that matches alone are left either way.
    need(flag(split, "invert") ? behavior == "Removed" : behavior == "Isolated",
         "its Split has the behavior {}", behavior.dump());
    check_byte_level(steps[1]);
    need(field(steps[1], "use_regex").is_boolean() && !flag(steps[1], "use_regex"),
         "its ByteLevel splits words once more (use_regex)");
  }

  void check_byte_level(const Json& step) const {
    const Json& space = field(step, "add_prefix_space");
    need(space.is_boolean() && !space.get<bool>(),
         "its ByteLevel adds a space before the text (add_prefix_space)");
  }

  static bool is_of(const Json& step, const char* type) {
    return step.is_object() && field(step, "type") == type;
  }
  static std::string type_of(const Json& step) {
    return step.is_object() ? field(step, "type").dump() : "none";
  }

  const std::string& name_;
  TokenizerParts parts_;
  std::unordered_map<std::string, int32_t> ids_;  // as the file writes them
  std::set<int32_t> taken_, raw_;
};

std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string words_text(Words words) {
  const auto byte_level = [](bool use_regex) {
    return fmt::format(
        R"({{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":{}}})",
        use_regex);
  };
  if (words == Words::gpt2 || words == Words::whole) return byte_level(words == Words::gpt2);
  return fmt::format(
      R"({{"type":"Sequence","pretokenizers":[{{"type":"Split","pattern":{{"Regex":{}}},)"
      R"("behavior":"Isolated","invert":false}},{}]}})",
      quoted(regex_of(words)), byte_level(false));
}

std::string added_text(const std::vector<AddedToken>& added) {
  std::string text;
  for (const AddedToken& a : added)
    text +=
        fmt::format(R"({}{{"id":{},"content":{},"single_word":false,"lstrip":false,"rstrip":false,)"
                    R"("normalized":{},"special":{}}})",
                    text.empty() ? "" : ",", a.id, quoted(a.text), a.late, a.special);
  return text;
}

}  // namespace

Tokenizer parse_tokenizer(std::string_view text, const std::string& name) {
  TokenizerParts parts;
  try {
    parts = FileReader(name).read(parse_json(text, name));
  } catch (const Json::exception& e) {
    fail("{}: {}", name, e.what());
  }
  return Tokenizer(std::move(parts), name);
}

std::shared_ptr<const Tokenizer> read_tokenizer(const std::string& path) {
  return std::make_shared<const Tokenizer>(parse_tokenizer(read_file(path), path));
}

std::string tokenizer_text(const Tokenizer& tokenizer) {
  const TokenizerParts& parts = tokenizer.parts();
  std::vector<bool> added(parts.tokens.size());
  for (const AddedToken& a : parts.added) added[size_t(a.id)] = true;
  std::string vocab, merges;
  for (size_t id = 0; id < parts.tokens.size(); ++id) {
    const std::string& token = parts.tokens[id];
    if (token.empty()) continue;
    // Added tokens stand for themselves, be they of bytes or not.
    vocab += fmt::format("{}{}:{}", vocab.empty() ? "" : ",",
                         quoted(added[id] ? token : byte_level(token)), id);
  }
  for (const Merge& m : parts.merges)
    merges += fmt::format("{}{}", merges.empty() ? "" : ",",
                          quoted(byte_level(parts.tokens[size_t(m.left)]) + " " +
                                 byte_level(parts.tokens[size_t(m.right)])));
  return fmt::format(
      R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{}],)"
      R"("normalizer":null,"pre_tokenizer":{},"post_processor":null,)"
      R"("decoder":{{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}},)"
      R"("model":{{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,)"
      R"("end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":{},)"
      R"("vocab":{{{}}},"merges":[{}]}}}})"
      "\n",
      added_text(parts.added), words_text(parts.words), parts.whole_words, vocab, merges);
}

}  // namespace star::synthesis
