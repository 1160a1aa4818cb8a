// Tokens as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace star::cli {

// Whole numbers separated by commas or white space; `where` is what errors call them.
std::vector<int32_t> parse_token_list(const std::string& text, const std::string& where);

}  // namespace star::cli
