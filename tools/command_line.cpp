#include "tools/command_line.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace star::cli {
namespace {

// Insertions, deletions, replacements and exchanges of neighbours that make one word of the other.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), size_t(0));
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

// The option of a command, or of the program, that a word names; null where none does.
const CLI::Option* option_named(const CLI::App& command, const std::string& name) {
  for (const CLI::App* at = &command; at; at = at->get_parent())
    if (auto* option = at->get_option_no_throw(name)) return option;
  return nullptr;
}

// What the words so far have led to.
class Walk {
 public:
  explicit Walk(const CLI::App& app) : at_(&app) {}

  void take(const std::string& word) {
    if (value_of_) {
      // CLI11 would take the option for the value; --name=--quiet gives such a one.
      require(!word.starts_with("--") || !option_named(*at_, word),
              "{}: a value is missing before {}", value_of_->get_name(), word);
      check_value(*value_of_, word);
      value_of_ = nullptr;
    } else if (word.starts_with("--")) {
      option(word);
    } else if (!word.starts_with('-')) {
      plain(word);
    }
  }

 private:
  void option(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const CLI::Option* option = option_named(*at_, name);
    require(option, "{}unknown option {}{}; see star {}--help", place(), name.substr(0, 40),
            suggestion(name, option_names(*at_)), path_);
    if (equals != word.npos) {
      require(equals + 1 < word.size(), "{}: an empty value", name);
      check_value(*option, word.substr(equals + 1));
    } else if (option->get_items_expected_max() > 0) {
      value_of_ = option;
    }
  }

  void plain(const std::string& word) {
    const std::vector<std::string> below = command_names(*at_);
    if (below.empty()) {
      for (const CLI::Option* o : at_->get_options())
        if (o->get_positional()) check_value(*o, word);
      return;
    }
    require(std::find(below.begin(), below.end(), word) != below.end(),
            "{}unknown command {}{}; see star {}--help", place(), word.substr(0, 40),
            suggestion(word, below), path_);
    at_ = at_->get_subcommand(word);
    path_ += word + " ";
  }

  // Of an option with several values CLI11 takes [a,b] for a list, and [] for none.
  static void check_value(const CLI::Option& option, const std::string& value) {
    require(!option.get_allow_extra_args() || !value.starts_with('[') || !value.ends_with(']'),
            "{}: {} is no value, several stand one after another without brackets",
            option.get_name(), value.substr(0, 40));
  }

  std::string place() const {
    return path_.empty() ? "" : path_.substr(0, path_.size() - 1) + ": ";
  }

  const CLI::App* at_;
  std::string path_;  // of the command, with a space after each name
  const CLI::Option* value_of_ = nullptr;
};

}  // namespace

void check_words(const CLI::App& app, int argc, const char* const* argv) {
  Walk walk(app);
  for (int i = 1; i < argc && std::string(argv[i]) != "--"; ++i) walk.take(argv[i]);
}

std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  const std::string* best = nullptr;
  size_t least = std::max<size_t>(1, std::min<size_t>(word.size(), 40) / 3) + 1;
  for (auto& name : names) {
    // What was begun is nearer than what was mistyped.
    const bool begun = word.size() > 2 && name.starts_with(word);
    const size_t far = begun ? 0 : distance(word.substr(0, 40), name);
    if (far >= least) continue;
    least = far;
    best = &name;
  }
  return best ? fmt::format("; did you mean {}?", *best) : "";
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* at = &command; at; at = at->get_parent())
    for (const CLI::Option* option : at->get_options())
      for (auto& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

}  // namespace star::cli
