// Pages that need nothing beside them. The program carries their files as a pack (star/pack.h): a
// page.html, and the style sheets and scripts that it names.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace star::cli {

// page.html of the pack, with the files that it names in the places of their tags, and the document
// as text in the script that has this id. Text of the document cannot end that place early or become
// markup.
std::string web_page(std::string_view pack, const std::string& id, const nlohmann::json& document);

}  // namespace star::cli
