#include "star/genome_tokens.h"

#include "core/error.h"
#include "core/split.h"
#include "liv/pool.h"

namespace star {
namespace {

std::string quoted(char c) {
  unsigned char byte = static_cast<unsigned char>(c);
  if (byte > 32 && byte < 127) return fmt::format("'{}'", c);
  return fmt::format("byte {:#04x}", byte);
}

void check_characters(std::string_view token, const std::string& place,
                      std::vector<std::string>& errors) {
  for (size_t i = 0; i < token.size(); ++i) {
    if (base36_value(token[i]) < 0) {
      errors.push_back(fmt::format("{}, digit {}: {} is not a digit of base 36 (0-9a-z)", place,
                                   i + 1, quoted(token[i])));
    }
  }
}

OverrideTokens tokenize_override(std::string_view text, size_t index,
                                 std::vector<std::string>& errors) {
  OverrideTokens tokens{false, '1', {}};
  if (!text.empty() && text[0] == '%') {
    tokens.featurizer = true;
    text.remove_prefix(1);
  }
  if (text.size() < 2 || base36_value(text[0]) < 0 || text[1] != ':') {
    errors.push_back(
        fmt::format("override {}: must be CLASS:OPERATOR or %FEATURIZER:GROUP,GROUP,…", index + 1));
    return tokens;
  }
  tokens.id = text[0];
  text.remove_prefix(2);
  tokens.groups = tokens.featurizer ? split(text, ',') : std::vector{text};
  for (size_t g = 0; g < tokens.groups.size(); ++g)
    check_characters(tokens.groups[g], override_place(tokens, index, g), errors);
  return tokens;
}

}  // namespace

GenomeTokens tokenize(std::string_view text, std::vector<std::string>& errors) {
  GenomeTokens tokens;
  std::vector<std::string_view> parts = split(text, '|');
  tokens.segments = split(parts[0], '-');
  for (size_t i = 0; i < tokens.segments.size(); ++i)
    check_characters(tokens.segments[i], fmt::format("segment {}", i + 1), errors);
  for (size_t i = 1; i < parts.size(); ++i)
    tokens.overrides.push_back(tokenize_override(parts[i], i - 1, errors));
  return tokens;
}

std::string override_place(const OverrideTokens& tokens, size_t index, size_t group) {
  if (!tokens.featurizer) return fmt::format("override {}", index + 1);
  return fmt::format("override {}, group {}", index + 1, group + 1);
}

}  // namespace star
