// What CONTRIBUTING promises of whoever adds a function of the entries of T, an objective, a task, a
// setting, an algorithm or a command: in how many source files the word stands by which it is known.
#include <doctest/doctest.h>

#include <set>

#include "liv/digits.h"
#include "liv/role.h"
#include "star/settings_table.h"
#include "star/tasks.h"
#include "tests/sources.h"

namespace star::synthesis {
namespace {

using Files = std::vector<std::string>;

Files with(const std::string& word, std::initializer_list<const char*> folders) {
  Files found;
  for (const char* folder : folders)
    for (auto& [name, text] : sources(folder))
      if (text.find(word) != text.npos) found.push_back(name);
  return found;
}

Files naming(const std::string& word) { return with('"' + word + '"', {"star", "tools"}); }

}  // namespace

TEST_CASE("rows: a function of the entries of T is one place, and the README tells of it") {
  const std::string& table = sources("liv").at("liv/entries.h");
  const std::string legend = source_text("liv/README.md");
  for (auto& row : kEntries) {
    const int digit = int(row.entries);
    CAPTURE(digit);
    CHECK(row.entries == kEntries[size_t(digit - 1)].entries);
    // Of the words, legality alone asks for the first: that nothing is done.
    size_t at = 0;
    for (int d = 0; d < digit; ++d) at = table.find("{.entries = ", at) + 1;
    const size_t begin = table.find("Entries::", at + 1), end = table.find(',', begin);
    const std::string word = table.substr(begin, end - begin);
    if (digit > 1)
      for (auto& file : with(word, {"autograd", "liv", "star", "tools"}))
        CHECK_MESSAGE((file == "liv/entries.h" || file.starts_with("star/export/")),
                      word << " in " << file);
    // The README tells what the digit means.
    const size_t told = legend.find("the **nonlinearity** on T");
    const std::string line = legend.substr(told, legend.find('\n', told) - told);
    if (digit > 1) CHECK(line.find(fmt::format(" {} ", digit)) != line.npos);
  }
}

TEST_CASE("rows: an algorithm is one place") {
  // nsga2 is the default of the settings, random an origin of genomes.
  for (auto& name : SearchAlgorithm::names())
    if (name != "nsga2" && name != "random")
      CHECK_MESSAGE(naming(name) == Files{"star/evolution.cpp"}, name);
}

TEST_CASE("rows: a task is one place, and its test another") {
  for (auto& name : Task::names()) {
    // recall is the default, copy a kernel too.
    if (name == "recall" || name == "copy") continue;
    CHECK_MESSAGE(naming(name) == Files{"star/task_generators.cpp"}, name);
    CHECK_MESSAGE(with('"' + name + '"', {"tests/star"}) == Files{"tests/star/tasks.cpp"}, name);
  }
}

TEST_CASE("rows: an objective is one place, its test another, and the README tells of it") {
  const std::string readme = source_text("star/README.md");
  for (auto& row : Objective::rows()) {
    const std::string name = row.name;
    CHECK_MESSAGE(readme.find('`' + name + '`') != std::string::npos, name);
    // Those that are trained and counted are also what tables show of every model.
    if (row.measure && !row.is_other_name)
      CHECK_MESSAGE(naming(name) == Files{"star/objectives.cpp"}, name);
  }
}

TEST_CASE("rows: a setting is one place, whose option follows") {
  // A preset sets the first two, and what a cache takes is asked of a genome too.
  const std::set<std::string> kElsewhere = {"population", "generations", "cache_context"};
  int followed = 0;
  for_each_evolution_setting([&](const Setting& row, const auto&) {
    if (!*row.help || kElsewhere.count(row.name)) return;
    ++followed;
    CHECK_MESSAGE(naming(row.option) == Files{"star/settings_table.h"}, row.option);
    const Files tested = with(std::string("\"") + row.option + '"', {"tests/star"});
    CHECK_MESSAGE(tested.empty(), row.option);
  });
  CHECK(followed > 5);
}

TEST_CASE("rows: a schedule of the learning rate is one place, and its test another") {
  for (auto& name : RateSchedule::names()) {
    if (name == "cosine") continue;  // the default
    CHECK_MESSAGE(naming(name) == Files{"star/learning_rate.cpp"}, name);
    CHECK_MESSAGE(
        source_text("tests/star/learning_rate.cpp").find('"' + name + '"') != std::string::npos,
        name);
  }
}

TEST_CASE("rows: the text of a role stands in one place") {
  // These are other things elsewhere: a q-value, a unit and an element of the report, an option of a
  // task, `extern "C"`, a row of `star bench`.
  const std::set<std::string> kElsewhere = {"q", "k", "a", "C", "dt", "kernel"};
  for (Role role : kRoles) {
    const std::string text = text_of(role);
    CHECK_MESSAGE(with('"' + text + '"', {"liv"}) == Files{"liv/role.h"}, text);
    if (!kElsewhere.count(text)) CHECK_MESSAGE(naming(text).empty(), text);
  }
}

TEST_CASE("rows: a command is its row and its file") {
  const std::string& table = sources("tools").at("tools/commands.def");
  int commands = 0;
  for (size_t at = table.find("\nSTAR_COMMAND("); at != table.npos;
       at = table.find("\nSTAR_COMMAND(", at + 1)) {
    const size_t begin = table.find('(', at) + 1;
    const std::string name = table.substr(begin, table.find(')', at) - begin);
    ++commands;
    const Files files = with("declare_" + name + "(", {"tools"});
    CHECK_MESSAGE(files.size() == 1, name);
  }
  CHECK(commands > 10);
}

}  // namespace star::synthesis
