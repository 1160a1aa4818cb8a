#include "star/request.h"

#include "core/error.h"
#include "core/split.h"

namespace star::synthesis {
namespace {

constexpr char kSeparator = '\0';

}  // namespace

std::string to_text(const Request& r) {
  std::string text = r.measure ? "measure" : "train";
  for (const std::string& part : {r.genome, r.recipe.text(), r.states, r.pool})
    text.append(1, kSeparator).append(part);
  return text;
}

Request request_of(const std::string& text) {
  const std::vector<std::string_view> parts = split(text, kSeparator);
  require(parts.size() == 5 && (parts[0] == "measure" || parts[0] == "train"),
          "search: what a worker is asked is no request");
  return {parts[0] == "measure", std::string(parts[1]), std::string(parts[2]),
          std::string(parts[3]), std::string(parts[4])};
}

}  // namespace star::synthesis
