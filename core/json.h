// JSON from outside.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace star {

// The value that a text writes. Throws `Error`, calling the text `name`, where it is no JSON or
// nests more than 64 deep: what the library does with a value recurses.
nlohmann::json parse_json(std::string_view text, const std::string& name);

}  // namespace star
