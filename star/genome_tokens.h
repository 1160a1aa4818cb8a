// The text of a genome cut into its parts, before any digit has a meaning: shared by the strict
// reader (star/genome.cpp) and the lenient one (star/repair.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace star::synthesis {

struct OverrideTokens {
  bool featurizer;  // "%c:…", else "2:…"
  char id;
  std::vector<std::string_view> groups;  // one for a class
};

// Every token consists of base-36 characters, in any number; views into the text.
struct GenomeTokens {
  std::vector<std::string_view> segments;
  std::vector<OverrideTokens> overrides;
};

// Appends a line to `errors` for each character or override that has no place in a genome.
GenomeTokens tokenize(std::string_view text, std::vector<std::string>& errors);

// The place of an override's digits: "override 1", or "override 1, group 2" for a featurizer.
std::string override_place(const OverrideTokens& tokens, size_t index, size_t group);

}  // namespace star::synthesis
