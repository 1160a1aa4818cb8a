#include "tools/token_list.h"

#include <cctype>
#include <limits>

#include "core/number.h"

namespace star::cli {

std::vector<int32_t> parse_token_list(const std::string& text, const std::string& where) {
  std::vector<int32_t> tokens;
  auto separates = [](char c) { return c == ',' || std::isspace(static_cast<unsigned char>(c)); };
  bool comma = true;  // one after which a number has to come, or the beginning
  for (size_t at = 0; at < text.size();) {
    if (separates(text[at])) {
      require(text[at] != ',' || !comma, "{}: no number before a comma", where);
      comma = comma || text[at] == ',';
      ++at;
      continue;
    }
    comma = false;
    size_t end = at;
    while (end < text.size() && !separates(text[end])) ++end;
    constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
    tokens.push_back(whole_number<int32_t>(text.substr(at, end - at), 0, kMost, where));
    at = end;
  }
  require(!tokens.empty(), "{}: no tokens", where);
  require(!comma, "{}: no number after a comma", where);
  return tokens;
}

}  // namespace star::cli
