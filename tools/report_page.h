// The page of a report: the files of tools/report and the plotting library, carried by the program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace star {

// One page that needs nothing beside it: scripts and style stand in their places in page.html, the
// document stands as text in its own. Text of the document cannot end that place early or become
// markup.
std::string report_page(const nlohmann::json& document);

}  // namespace star
