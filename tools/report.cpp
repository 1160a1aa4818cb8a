// star report: the page on a search.
#include "star/report.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/clock.h"
#include "core/file.h"
#include "tools/console.h"
#include "tools/output.h"
#include "tools/report.h"
#include "tools/report_page.h"
#include "tools/run_command.h"

namespace star::cli {
namespace {

// A page that this program wrote may be written anew; any other file is somebody's. Under the name
// that follows from that of the run file, so is the page on another run.
void require_own_or_absent(const std::string& path, const std::string& run_path, bool chosen) {
  std::error_code none;
  if (!std::filesystem::exists(path, none)) return;
  const PageOrigin origin = page_origin(read_file(path));
  require(origin.report, "{}: exists and is no report; --out gives another name", path);
  // Pages that name no run are older than that.
  const std::string run = std::filesystem::path(run_path).filename();
  require(chosen || origin.run.empty() || origin.run == run,
          "{}: is the report on another run, {}; --out gives another name", path, origin.run);
}

std::string name_of(const std::string& path) { return std::filesystem::path(path).filename(); }

void write_page(const nlohmann::json& document, const std::string& out) {
  const std::string page = report_page(document);
  const std::string_view piece = page;
  write_file(out, {&piece, 1});
}

// A page that is still being written reads itself again after so many seconds.
constexpr int kReloadSeconds = 3;

struct ReportCommand {
  Common common;
  std::string run_path, out, against, config;
  bool follows = false;

  void run() const {
    const std::string path = out.empty() ? report_path(run_path) : out;
    const CheckedRun run = open_run_file(run_path);
    check_output(path, {run_path, against, config});
    require_own_or_absent(path, run_path, !out.empty());
    warn_of_bounds(run_path, run.settings, run.contents);
    if (follows) follow(run.file, path);
    if (!follows) write(run.file, path, false);
    if (common.json)
      print_json({{"report", path}});
    else if (!follows)
      fmt::print("{}\n", path);
  }

 private:
  void write(const RunFile& run, const std::string& path, bool live) const {
    nlohmann::json document = report_data(run, name_of(run_path));
    if (live) document["reload_seconds"] = kReloadSeconds;
    if (!against.empty())
      add_random_search(document, open_run_file(against).file, name_of(against));
    write_page(document, path);
  }

  // The page anew whenever the run file has changed, as long as somebody is at work on it.
  void follow(const RunFile& file, const std::string& path) const {
    std::filesystem::file_time_type shown = {};
    for (bool live = true, first = true; live; first = false) {
      const double begin = seconds_now();
      const bool stop = interrupted();
      live = file.is_claimed() && !stop;
      // Whatever is written from here on is seen as a change the next time.
      const auto changed = std::filesystem::last_write_time(run_path);
      if (!live || changed != shown) write(open_run_file(run_path).file, path, live);
      shown = changed;
      if (first && !common.json) fmt::print("{}\n", path);
      flush_output();
      if (stop) throw Interrupted(fmt::format("{}: no longer followed", run_path));
      if (live) wait(std::max<double>(kReloadSeconds, 4 * (seconds_now() - begin)));
    }
  }

  static void wait(double seconds) {
    for (const double end = seconds_now() + seconds; seconds_now() < end && !interrupted();)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
};

}  // namespace

std::string report_path(const std::string& run) {
  constexpr std::string_view kSuffix = ".run";
  const std::string name = name_of(run);
  const bool usual = name.ends_with(kSuffix) && name.size() > kSuffix.size();
  return (usual ? run.substr(0, run.size() - kSuffix.size()) : run) + ".html";
}

bool write_report(const RunFile& run, const std::string& run_path,
                  const std::function<bool()>& interrupted) {
  const std::string path = report_path(run_path);
  check_output(path, {run_path});
  require_own_or_absent(path, run_path, false);
  const nlohmann::json document = report_data(run, name_of(run_path), interrupted);
  if (document.is_null()) return false;
  write_page(document, path);
  return true;
}

void declare_report(CLI::App& app) {
  auto c = std::make_shared<ReportCommand>();
  CLI::App* sub = app.add_subcommand("report", "Writes one page on a search, finished or running");
  sub->add_option("run", c->run_path, "The run file")->required();
  sub->add_option("--out", c->out,
                  "The page (default: beside the run file, star.html of star.run, exp.1.html of "
                  "exp.1). Another file is never replaced, the report on another run only under a "
                  "name that is given here");
  sub->add_option("--against", c->against,
                  "The run file of a random search under the same settings, to compare with");
  sub->add_flag(
      "--follow", c->follows,
      "Writes the page anew as the search goes on, and ends with it; the page, once opened, "
      "shows what is new by itself");
  c->common.declare(*sub);
  sub->callback([c, sub] {
    c->config = config_file(*sub);
    c->run();
  });
}

}  // namespace star::cli
