// The page of a report: the files of tools/report and the plotting library, carried by the program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace star::cli {

// The page of a document of star/report.h.
std::string report_page(const nlohmann::json& document);

// What a file says of itself in the head of a report.
struct PageOrigin {
  bool report = false;  // it is one
  std::string run;      // the name of the run file; empty where none is said
};
PageOrigin page_origin(std::string_view page);

}  // namespace star::cli
