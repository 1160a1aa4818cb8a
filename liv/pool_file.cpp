#include "liv/pool_file.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/file.h"
#include "core/split.h"
#include "liv/legality.h"

namespace star {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::string_view part : split(text, ' '))
    if (!part.empty()) words.push_back(part);
  return words;
}

class PoolReader {
 public:
  PoolReader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Pool read() {
    for (std::string_view line : split(text_, '\n')) {
      ++line_;
      read_line(line);
    }
    require(!pool_.classes.empty(), "{}: the pool has no classes", file_);
    // Lines stand in any order, so that what they refer to is looked up at the end.
    for (LivClass& c : pool_.classes) resolve(c);
    derive(pool_);
    for (const LivClass& c : pool_.classes) {
      line_ = class_lines_[c.id];
      const std::vector<std::string> reasons = check_operator(c.op, c.groups);
      if (!reasons.empty()) error("class {}: {}", c.id, reasons[0]);
    }
    return std::move(pool_);
  }

 private:
  template <class... Args>
  [[noreturn]] void error(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}, line {}: {}", file_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

  void read_line(std::string_view line) {
    std::string content(line.substr(0, line.find('#')));
    for (char& c : content) {
      if (c == '\t' || c == '\r') c = ' ';
      if (c < ' ' || c > '~')
        error("byte {:#04x} is not printable ASCII", unsigned(static_cast<unsigned char>(c)));
    }
    if (words_of(content).empty()) return;
    const size_t colon = content.find(':');
    const std::vector<std::string_view> head = words_of(std::string_view(content).substr(0, colon));
    const bool featurizer = head.size() == 2 && head[0] == "featurizer";
    const bool liv = head.size() == 3 && head[0] == "class";
    if (colon == content.npos || !(featurizer || liv))
      error("must be `featurizer ID: ROLE DIGITS, …` or `class ID NAME: …`");
    const std::string_view body = std::string_view(content).substr(colon + 1);
    if (featurizer) read_featurizer(id_of(head[1]), body);
    if (liv) read_class(id_of(head[1]), head[2], words_of(body));
  }

  char id_of(std::string_view word) const {
    if (word.size() != 1 || base36_value(word[0]) < 0)
      error("the identifier `{}` is not one character of 0-9a-z", word);
    return word[0];
  }

  Digits digits_of(std::string_view word, std::string_view what, const Digits& limits) const {
    Digits digits{};
    if (word.size() != digits.size()) error("{}: `{}` has not five digits", what, word);
    for (size_t i = 0; i < digits.size(); ++i) {
      digits[i] = base36_value(word[i]);
      if (digits[i] < 1 || digits[i] > limits[i])
        error("{}: digit {} is {}, must be 1 to {}", what, i + 1, word[i], base36_digit(limits[i]));
    }
    return digits;
  }

  void read_featurizer(char id, std::string_view body) {
    if (id == '0') error("featurizer 0: the first digit of an operator is not 0");
    if (pool_.find_featurizer(id)) error("featurizer {} is there already", id);
    Featurizer featurizer{id, {}};
    for (std::string_view part : split(body, ',')) {
      const std::vector<std::string_view> words = words_of(part);
      if (words.size() != 2) error("featurizer {}: `{}` is not ROLE DIGITS", id, part);
      const std::optional<Role> role = role_of(words[0]);
      if (!role)
        error("featurizer {}: the role {} is not one of {}", id, words[0],
              fmt::join(texts_of(kRoles), " "));
      if (find_group(featurizer.groups, *role))
        error("featurizer {}: {} is there twice", id, words[0]);
      featurizer.groups.push_back({*role, digits_of(words[1], words[0], kGroupLimits)});
    }
    pool_.featurizers.push_back(std::move(featurizer));
  }

  void read_class(char id, std::string_view name, const std::vector<std::string_view>& body) {
    if (pool_.find(id)) error("class {} is there already", id);
    for (const LivClass& c : pool_.classes)
      if (c.name == name) error("the name {} is that of class {} already", name, c.id);
    LivClass c{id, std::string(name), false, id, {}, {}, {}, {}};
    if (body.size() == 1) {
      c.op.digits = digits_of(body[0], fmt::format("class {}", id), kOperatorLimits);
    } else if (body.size() == 3 && body[0] == "differential" && body[1] == "of") {
      c.differential = true;
      c.base = id_of(body[2]);
    } else {
      error("class {}: must be five digits or `differential of ID`", id);
    }
    class_lines_[id] = line_;
    pool_.classes.push_back(std::move(c));
  }

  void resolve(LivClass& c) {
    line_ = class_lines_[c.id];
    const LivClass* base = pool_.find(c.base);
    if (!base) error("class {}: there is no class {}", c.id, c.base);
    if (c.differential && base->differential)
      error("class {}: class {} is differential itself", c.id, c.base);
    c.op = base->op;
    const char featurizer = base36_digit(c.op.featurizer());
    if (!pool_.find_featurizer(featurizer))
      error("class {}: there is no featurizer {}", c.id, featurizer);
  }

  std::string_view text_;
  const std::string& file_;
  int line_ = 0;
  Pool pool_;
  std::map<char, int> class_lines_;
};

}  // namespace

Pool parse_pool(std::string_view text, const std::string& file) {
  return PoolReader(text, file).read();
}

std::string pool_text(const Pool& pool) {
  std::string text;
  for (const Featurizer& f : pool.featurizers) {
    std::vector<std::string> groups;
    for (const FeatureGroup& g : f.groups)
      groups.push_back(fmt::format("{} {}", text_of(g.role), digits_text(g.digits)));
    text += fmt::format("featurizer {}: {}\n", f.id, fmt::join(groups, ", "));
  }
  text += '\n';
  for (const LivClass& c : pool.classes) {
    text += fmt::format(
        "class {} {}: {}\n", c.id, c.name,
        c.differential ? fmt::format("differential of {}", c.base) : digits_text(c.op.digits));
  }
  return text;
}

Pool named_pool(const std::string& name_or_text) {
  if (name_or_text == "paper") return paper_pool();
  if (name_or_text == "extended") return extended_pool();
  return parse_pool(name_or_text, "pool");
}

std::string pool_setting(const std::string& name_or_path) {
  if (name_or_path == "paper" || name_or_path == "extended") return name_or_path;
  std::string text = read_file(name_or_path);
  parse_pool(text, name_or_path);
  return text;
}

}  // namespace star
