// star runs: what run files hold.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <set>

#include "star/front.h"
#include "star/run_rows.h"
#include "tools/console.h"
#include "tools/run_command.h"
#include "tools/table.h"

namespace star::cli {
namespace {

namespace fs = std::filesystem;

// A run in the figures that tell it from others.
struct RunSummary {
  std::string path;
  std::string failure;  // why it cannot be read; the rest is empty then
  SearchSettings settings;
  std::vector<Generation> generations;
  int64_t evaluated = 0, failed = 0;
  int64_t stopped = 0;             // at a rung, of the generations that are complete
  std::vector<FrontMember> front;  // of the last generation, by the first objective

  bool complete() const { return int(generations.size()) >= settings.generations; }
  double best() const {
    return front.empty() ? std::nan("") : front[0].objectives.at(settings.objectives[0].name());
  }
  bool feasible() const { return !nearest_to_bounds(front); }
  double hypervolume() const {
    return generations.empty() ? std::nan("") : generations.back().hypervolume;
  }
};

RunSummary summary_of(const std::string& path) {
  RunSummary run;
  run.path = path;
  CheckedRun checked = open_run_file(path);
  run.settings = std::move(checked.settings);
  run.front = last_front(run.settings, checked.contents);
  run.generations = std::move(checked.contents.generations);
  // What candidates were bred and forgotten again before (search --retry) is none of the search.
  std::set<std::string> bred;
  for (auto& c : checked.contents.candidates) bred.insert(c.genome);
  for (auto& g : run.generations)
    for (auto& genome : g.stopped) run.stopped += int64_t(bred.erase(genome));
  std::set<std::string> ended, failed;
  for (auto& e : checked.contents.evaluations) {
    if (!e.recipe.is_of_search() || !bred.count(e.genome)) continue;
    if (!e.ok()) failed.insert(e.genome);
    if (!e.ok() || e.recipe.is_whole()) ended.insert(e.genome);
  }
  run.evaluated = int64_t(ended.size());
  run.failed = int64_t(failed.size());
  return run;
}

std::string data_of(const SearchSettings& s) {
  return s.task.empty() ? fs::path(s.data_path).filename().string() : s.task;
}

nlohmann::json json_of(const RunSummary& run) {
  if (!run.failure.empty()) return {{"run", run.path}, {"error", run.failure}};
  const SearchSettings& s = run.settings;
  return {{"run", run.path},
          {"data", data_of(s)},
          {"algorithm", s.algorithm},
          {"population", s.population},
          {"depth", depth_text(s)},
          {"objectives", s.objectives},
          {"seed", s.seed},
          {"generations", run.generations.size()},
          {"generations_wanted", s.generations},
          {"complete", run.complete()},
          {"evaluated", run.evaluated},
          {"failed", run.failed},
          {"stopped", run.stopped},
          {"hypervolume", run.hypervolume()},
          {"best", run.best()},
          {"feasible", feasible_json(run.front)}};
}

// Any text may be asked about, also one that can be no path.
bool is_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

// A file that may not be read: whether it is a run file cannot be told.
bool is_closed(const fs::path& path) {
  std::error_code none;
  return fs::is_regular_file(path, none) && ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) &&
         errno == EACCES;
}

struct RunsCommand {
  Common common;
  std::vector<std::string> paths;
  std::string program;  // as it was called
  bool csv = false, curves = false, json_lines = false;

  void run() const {
    if (csv || json_lines) return print_rows();
    if (paths.size() == 1 && !is_folder(paths[0])) return show(summary_of(paths[0]));
    const std::vector<RunSummary> runs = all_runs();
    if (common.json) {
      nlohmann::json list = nlohmann::json::array();
      for (auto& run : runs) list.push_back(json_of(run));
      return print_json({{"runs", list}});
    }
    if (runs.empty()) return fmt::print("no run files here; star search makes one\n");
    print_runs(runs);
  }

 private:
  struct Named {
    std::string path;
    bool found;  // in a folder, rather than named: where it cannot be read, the others still count
  };

  // What was named, and of folders what is a run file.
  std::vector<Named> files() const {
    std::vector<Named> files;
    for (auto& path : paths.empty() ? std::vector<std::string>{"."} : paths) {
      if (!is_folder(path)) {
        files.push_back({path, false});
        continue;
      }
      std::vector<std::string> found;
      std::error_code error;
      for (fs::directory_iterator entry(path, error), end; !error && entry != end;
           entry.increment(error))
        if (is_run_file(entry->path()) || is_closed(entry->path()))
          found.push_back(path == "." ? entry->path().filename() : entry->path());
      require(!error, "{}: {}", path, error.message());
      std::sort(found.begin(), found.end());
      for (auto& file : found) files.push_back({file, true});
    }
    return files;
  }

  // Each file by `read`; `failed` is told of those that were found and cannot be read.
  void for_each_file(const std::function<void(const std::string& path)>& read,
                     const std::function<void(const Named&, const Error&)>& failed) const {
    for (auto& file : files()) {
      try {
        read(file.path);
      } catch (const Error& e) {
        if (!file.found) throw;
        failed(file, e);
      }
    }
  }

  std::vector<RunSummary> all_runs() const {
    std::vector<RunSummary> runs;
    for_each_file([&](const std::string& path) { runs.push_back(summary_of(path)); },
                  [&](const Named& file, const Error& e) {
                    runs.emplace_back();
                    runs.back().path = file.path;
                    runs.back().failure = e.what();
                  });
    return runs;
  }

  void print_rows() const {
    std::vector<NamedRun> runs;
    for_each_file(
        [&](const std::string& path) {
          runs.push_back({path, open_run_file(path).contents});
        },
        [&](const Named&, const Error& e) { say("star: warning: {}\n", e.what()); });
    if (csv) return fmt::print("{}", curves ? curves_csv(runs) : trainings_csv(runs));
    for (auto& run : runs) fmt::print("{}", trainings_json_lines(run));
  }

  static void print_runs(const std::vector<RunSummary>& runs) {
    Table table({"data", "search", "depth", "generations", "evaluated", "failed", "hypervolume",
                 "best", "run"});
    bool any = false;
    for (auto& run : runs) {
      if (!run.failure.empty()) continue;
      any = true;
      const SearchSettings& s = run.settings;
      const std::string& first = s.objectives.at(0).name();
      table.add({data_of(s), fmt::format("{} of {}", s.algorithm, s.population), depth_text(s),
                 fmt::format("{} of {}", run.generations.size(), s.generations),
                 fmt::to_string(run.evaluated), fmt::to_string(run.failed),
                 fixed(run.hypervolume(), 4), first + " " + metric_text(first, run.best()),
                 run.feasible() ? run.path : run.path + "  (no candidate keeps the bounds)"});
    }
    if (any) fmt::print("{}", table.text());
    for (auto& run : runs)
      if (!run.failure.empty()) fmt::print("{}\n", run.failure);
  }

  std::string how_to_go_on(const RunSummary& run) const {
    return run.complete()
               ? ""
               : fmt::format("{} search --resume {}", shell_word(program), shell_path(run.path));
  }

  void show(const RunSummary& run) const {
    if (common.json) return show_json(run);
    const SearchSettings& s = run.settings;
    fmt::print("{}\n\n", run.path);
    auto line = [](const char* name, const std::string& value) {
      fmt::print("{:13}{}\n", name, value);
    };
    line("data", s.data_identity);
    line("search", fmt::format("{} of {}, seed {}", s.algorithm, s.population, s.seed));
    line("objectives", fmt::format("{}", fmt::join(s.objectives, ", ")));
    line("candidates", fmt::format("depth {}, width {}, {} heads, {} steps of {} x {}",
                                   depth_text(s), s.sizes.width, s.sizes.heads, s.training.steps,
                                   s.training.batch, s.sizes.seq));
    line("generations", fmt::format("{} of {}", run.generations.size(), s.generations));
    line("evaluated",
         fmt::format("{}, {} failed{}", run.evaluated, run.failed,
                     s.rungs.empty() ? "" : fmt::format("; {} stopped at a rung", run.stopped)));
    if (!run.generations.empty()) {
      fmt::print("\n{}\n", generations_text(run));
      print_front(run);
    }
    if (!run.complete()) fmt::print("\ngo on     {}\n", how_to_go_on(run));
    fmt::print("{}report    {} report {}\n", run.complete() ? "\n" : "", shell_word(program),
               shell_path(run.path));
  }

  static std::string generations_text(const RunSummary& run) {
    const bool rungs = !run.settings.rungs.empty(), screened = run.settings.screen > 0;
    std::vector<std::string> head = {"generation", "hypervolume", "scaled"};
    if (rungs) head.insert(head.end(), {"stopped", "went on", "tau"});
    if (screened) head.push_back("tau of model");
    Table table(head);
    for (auto& g : run.generations) {
      std::vector<std::string> cells = {fmt::to_string(g.generation + 1), fixed(g.hypervolume, 4),
                                        fixed(g.scaled, 3)};
      if (rungs)
        cells.insert(cells.end(), {fmt::to_string(g.stopped.size()), fmt::to_string(g.promoted),
                                   fixed(g.rung_tau, 2)});
      if (screened) cells.push_back(fixed(g.model_tau, 2));
      table.add(std::move(cells));
    }
    return table.text();
  }

  static void print_front(const RunSummary& run) {
    fmt::print("{}", front_text(run.settings, run.front));
    const std::string broken = broken_bounds(run.settings, run.front);
    if (!broken.empty()) fmt::print("\n{}\n", broken);
  }

  void show_json(const RunSummary& run) const {
    nlohmann::json json = json_of(run);
    json["hypervolume"] = json["hypervolume_scaled"] = nlohmann::json::array();
    for (auto& g : run.generations) {
      json["hypervolume"].push_back(g.hypervolume);
      json["hypervolume_scaled"].push_back(g.scaled);
    }
    json["rungs"] = rungs_json(run.generations);
    json["front"] = front_json(run.front);
    json["settings"] = nlohmann::json::parse(settings_to_json(run.settings));
    json["go_on"] = run.complete() ? nlohmann::json() : nlohmann::json(how_to_go_on(run));
    print_json(json);
  }
};

}  // namespace

void declare_runs(CLI::App& app) {
  auto c = std::make_shared<RunsCommand>();
  CLI::App* sub = app.add_subcommand("runs", "Lists run files, or shows one");
  sub->add_option("runs", c->paths, "Run files and folders of them (default: this folder)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* csv = sub->add_flag("--csv", c->csv, "Every training as a row, with its metrics");
  sub->add_flag("--curves", c->curves, "With --csv: the points of every training's curve instead")
      ->needs(csv);
  auto* lines = sub->add_flag("--jsonl", c->json_lines,
                              "Every training as a line of JSON, with metrics and curve");
  lines->excludes(csv);
  c->common.declare(*sub);
  for (auto* rows : {csv, lines}) rows->excludes(sub->get_option("--json"));
  sub->callback([c, root = &app] {
    c->program = root->get_name();
    c->run();
  });
}

}  // namespace star::cli
