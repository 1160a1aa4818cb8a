// The report as other commands write it.
#pragma once

#include <functional>
#include <string>

#include "star/store.h"

namespace star::cli {

// Beside the run file: star.html of star.run, and of every other name that with .html after it, so
// that exp.1 and exp.2 have pages of their own.
std::string report_path(const std::string& run);

// Writes the page on `run`, the run file `path`, to report_path(path). False, and nothing is
// written, once `interrupted` says so. Throws Error where there is a file that is no report, or the
// report on another run, or it cannot be written.
bool write_report(const RunFile& run, const std::string& path,
                  const std::function<bool()>& interrupted);

}  // namespace star::cli
