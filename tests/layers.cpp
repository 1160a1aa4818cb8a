// Who includes whom (CONTRIBUTING.md, "Layers").
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/sources.h"

namespace star {
namespace {

// What a folder may include beside itself.
const std::map<std::string, std::set<std::string>> kBelow = {
    {"core", {}},
    {"cpu", {"core"}},
    {"cuda", {"core"}},
    {"autograd", {"core"}},
    {"liv", {"core", "autograd"}},
    {"star", {"core", "autograd", "liv"}},
    {"tools", {"core", "autograd", "liv", "star"}},
};

std::set<std::string> included(const std::string& text) {
  const std::string directive = "#include \"";
  std::set<std::string> names;
  for (size_t at = 0; (at = text.find(directive, at)) != text.npos;) {
    at += directive.size();
    names.insert(text.substr(at, text.find('"', at) - at));
  }
  return names;
}

std::string folder_of(const std::string& name) { return name.substr(0, name.find('/')); }

// The types that a header defines at the left margin.
std::vector<std::string> types_of(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, name;
    words >> kind >> name;
    const bool type = line.starts_with("struct ") || line.starts_with("class ");
    const bool whole = name.find_first_of("<;:(") == name.npos;  // no specialisation, no function
    if (type && whole && line.ends_with('{')) names.push_back(name);
  }
  return names;
}

}  // namespace

TEST_CASE("layers: a folder includes those below it, and one file chooses among the backends") {
  const std::set<std::string> kChoice = {"cpu/cpu.h", "cuda/cuda.h"};
  for (auto& [folder, below] : kBelow)
    for (auto& [name, text] : sources(folder)) {
      for (auto& other : included(text)) {
        const bool chooses = name == "star/device.cpp" && kChoice.count(other);
        const bool allowed = folder_of(other) == folder || below.count(folder_of(other)) || chooses;
        CHECK_MESSAGE(allowed, name << " includes " << other);
      }
    }
}

TEST_CASE("layers: no two headers know each other") {
  std::map<std::string, std::set<std::string>> known;  // by a header, through all that it includes
  for (auto& [folder, below] : kBelow)
    for (auto& [name, text] : sources(folder))
      if (name.ends_with(".h")) known[name] = included(text);
  REQUIRE(known.size() > 100);
  for (bool grows = true; grows;) {
    grows = false;
    for (auto& [name, others] : known)
      for (auto& other : std::set<std::string>(others)) {
        const size_t before = others.size();
        if (known.count(other)) others.insert(known[other].begin(), known[other].end());
        grows = grows || others.size() > before;
      }
  }
  for (auto& [name, others] : known) CHECK_MESSAGE(!others.count(name), name);
}

TEST_CASE("layers: a name is one type in all headers that a program has") {
  std::map<std::string, std::string> home;
  for (const char* folder : {"core", "autograd", "liv", "star", "tests"})
    for (auto& [name, text] : sources(folder)) {
      if (!name.ends_with(".h")) continue;
      for (auto& type : types_of(text)) {
        auto [known, fresh] = home.emplace(type, name);
        CHECK_MESSAGE((fresh || known->second == name),
                      type << " of " << name << " and " << known->second);
      }
    }
  CHECK(home.size() > 100);
}

}  // namespace star
