#include "core/json.h"

#include "core/error.h"

namespace star {

constexpr int kMaxDepth = 64;

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  auto check = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    require(depth <= kMaxDepth, "{} nests too deep", name);
    return true;
  };
  try {
    return nlohmann::json::parse(text, check);
  } catch (const nlohmann::json::exception& e) {
    fail("{} is no JSON: {}", name, e.what());
  }
}

}  // namespace star
