#include "core/json.h"

#include <algorithm>

#include "core/error.h"

namespace star {

namespace {

constexpr int kMaxDepth = 64;

std::string place_of(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte - (byte > 0), text.size()));
  const size_t line = size_t(std::count(before.begin(), before.end(), '\n')) + 1;
  const size_t begin = line == 1 ? 0 : before.rfind('\n') + 1;
  return fmt::format("line {}, byte {}", line, before.size() - begin + 1);
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  auto check = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    require(depth <= kMaxDepth, "{} nests too deep", name);
    return true;
  };
  try {
    return nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::exception& e) {
    fail("{} is no JSON: {}", name, json_fault(text, e));
  }
}

std::string json_fault(std::string_view text, const nlohmann::json::exception& e) {
  if (auto* wrong = dynamic_cast<const nlohmann::json::parse_error*>(&e))
    return wrong->byte > text.size() ? "it ends too early"
                                     : place_of(text, wrong->byte) + ": not expected here";
  return "it holds a number that is out of range";
}

}  // namespace star
