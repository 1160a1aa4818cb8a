// The report as other commands write it.
#pragma once

#include <string>

#include "star/store.h"

namespace star {

// Beside the run file: star.html of star.run.
std::string report_path(const std::string& run);

// Writes the page on `run`, the run file `path`, to report_path(path). Throws Error where that is a
// file that is no report, or cannot be written.
void write_report(const RunFile& run, const std::string& path);

}  // namespace star
