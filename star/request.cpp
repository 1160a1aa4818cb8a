#include "star/request.h"

#include "core/json.h"

namespace star::synthesis {

std::string to_text(const Request& r) {
  return nlohmann::json({r.measure, r.genome, r.recipe.text(), r.states})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Request request_of(const std::string& text) {
  const nlohmann::json json = parse_json(text, "search: what a worker is asked");
  return {json.at(0).get<bool>(), json.at(1).get<std::string>(), json.at(2).get<std::string>(),
          json.at(3).get<std::string>()};
}

}  // namespace star::synthesis
