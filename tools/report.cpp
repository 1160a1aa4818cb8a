// star report: the page on a search.
#include "star/report.h"

#include <filesystem>

#include "core/file.h"
#include "tools/command.h"
#include "tools/report.h"
#include "tools/report_page.h"

namespace star {
namespace {

// A page that this program wrote may be written anew; any other file is somebody's.
void require_own_or_absent(const std::string& path) {
  if (!std::filesystem::exists(path)) return;
  require(read_file(path).find("<meta name=\"generator\" content=\"star report\">") < 1000,
          "{}: exists and is no report; --out gives another name", path);
}

std::string name_of(const std::string& path) { return std::filesystem::path(path).filename(); }

void write_page(const nlohmann::json& document, const std::string& out) {
  const std::string page = report_page(document);
  const std::string_view piece = page;
  write_file(out, {&piece, 1});
}

struct ReportCommand {
  Common common;
  std::string run_path, out, against;

  void run() const {
    const std::string path = out.empty() ? report_path(run_path) : out;
    require_own_or_absent(path);
    nlohmann::json document = report_data(RunFile::open(run_path), name_of(run_path));
    if (!against.empty()) add_random_search(document, RunFile::open(against), name_of(against));
    write_page(document, path);
    if (common.json)
      print_json({{"report", path}});
    else
      fmt::print("{}\n", path);
  }
};

}  // namespace

std::string report_path(const std::string& run) {
  return std::filesystem::path(run).replace_extension(".html");
}

void write_report(const RunFile& run, const std::string& run_path) {
  require_own_or_absent(report_path(run_path));
  write_page(report_data(run, name_of(run_path)), report_path(run_path));
}

void declare_report(CLI::App& app) {
  auto c = std::make_shared<ReportCommand>();
  CLI::App* sub = app.add_subcommand("report", "Writes one page on a search, finished or running");
  sub->add_option("run", c->run_path, "The run file")->required();
  sub->add_option("--out", c->out,
                  "The page (default: beside the run file, star.html of star.run)");
  sub->add_option("--against", c->against,
                  "The run file of a random search under the same settings, to compare with");
  c->common.declare(*sub);
  sub->callback([c] { c->run(); });
}

}  // namespace star
