// JSON from outside.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace star {

// The value that a text writes. Throws `Error`, calling the text `name`, where it is no JSON or
// nests more than 64 deep: what the library does with a value recurses.
nlohmann::json parse_json(std::string_view text, const std::string& name);

// What is wrong with a text that the library has refused, and where.
std::string json_fault(std::string_view text, const nlohmann::json::exception& e);

}  // namespace star
