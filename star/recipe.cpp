#include "star/recipe.h"

#include <string_view>

#include "core/number.h"

namespace star::synthesis {
namespace {

constexpr std::string_view kWhole = "search", kRung = "search:rung=", kSeed = "search:seed=";

}  // namespace

Recipe::Recipe(std::string text) : text_(std::move(text)) {
  if (text_ == kWhole) kind_ = Kind::whole;
  for (auto [prefix, kind] : {std::pair(kRung, Kind::rung), {kSeed, Kind::seed}}) {
    if (!text_.starts_with(prefix)) continue;
    kind_ = kind;
    number_ = read_number<int64_t>(text_.substr(prefix.size()));
    if (number_ && *number_ < 1) number_.reset();
  }
}

Recipe Recipe::at_rung(int64_t step) { return fmt::format("{}{}", kRung, step); }

Recipe Recipe::of_seed(int number) {
  return number == 0 ? Recipe() : Recipe(fmt::format("{}{}", kSeed, number));
}

Recipe Recipe::with(const std::string& name, const std::string& value) const {
  return fmt::format("{},{}={}", text_, name, value);
}

}  // namespace star::synthesis
