// Run files that somebody has changed with SQLite's tools.
//
// An input draws changes of a small good run: rows deleted, copied or filled with other values,
// tables emptied, dropped or freed of their types and constraints, settings edited. Whatever opens
// must go through every reader, and through a search that goes on with it.
#include <sqlite3.h>

#include <nlohmann/json.hpp>

#include "core/file.h"
#include "liv/pool_file.h"
#include "star/front.h"
#include "star/motifs.h"
#include "star/report.h"
#include "star/search.h"
#include "star/tasks.h"
#include "tests/fuzz/fuzz.h"
#include "tests/temporary.h"

namespace star {
namespace {

const char* const kTables[] = {"run",     "reference",   "genomes",    "candidates",
                               "parents", "members",     "fronts",     "metrics",
                               "curve",   "evaluations", "generations"};

const Dataset& data() {
  static const TaskData made(parse_task("recall:V=8,L=8"), 1);
  return made;
}

SearchSettings small_settings() {
  SearchSettings s;
  s.population = 4;
  s.generations = 3;
  s.min_depth = 2;
  s.max_depth = 3;
  s.task = "recall:V=8,L=8";
  s.sizes = {16, 2, 8, 8, 4};
  s.bounds = {{"cache", 40}};
  return s;
}

// Answers at once, so often; a seventh of all candidates fails.
class InstantWorkers : public Workers {
 public:
  explicit InstantWorkers(int answers) : left_(answers) {}
  bool tired() const { return left_ < 0; }
  int count() const override { return 1; }
  int running() const override { return int(!request_.genome.empty()); }
  void start(int job, const Request& request) override {
    job_ = job;
    request_ = request;
  }
  WorkerPool::Finished wait(const Interrupt& interrupted) override {
    --left_;
    if (request_.genome.empty() || (interrupted && interrupted())) return {};
    return {job_, answer_to(std::exchange(request_, {}))};
  }
  std::optional<Outcome> alone(const Request& request, const Interrupt&) override {
    return answer_to(request);
  }

 private:
  static Outcome answer_to(const Request& request) {
    const uint64_t hash = hash_text(to_text(request));
    if (hash % 7 == 0) return {"", "time limit", 1};
    Evaluation e;
    for (const char* name : {"quality", "params", "cache", "flops", "latency", "memory"})
      e.metrics[name] = 1 + double(hash_text(to_text(request) + name) % 100);
    e.curve = {{1, 2.5}, {2, 2}};
    return {to_text(e), "", 1};
  }

  int left_, job_ = -1;
  Request request_;
};

// Where a disk need not be waited for, if there is such a place.
struct MemoryFolder {
  std::filesystem::path path = [] {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    return (memory ? "/dev/shm" : std::filesystem::temp_directory_path()) /
           fmt::format("star-fuzz-{}", ::getpid());
  }();
  MemoryFolder() { std::filesystem::create_directories(path); }
  ~MemoryFolder() { std::filesystem::remove_all(path); }
};

// A run that is not complete, as the bytes of its file.
const std::string& good_run() {
  static const std::string bytes = [] {
    const TemporaryFolder folder;
    const std::string path = folder.file("good");
    const SearchSettings settings = small_settings();
    RunFile file = RunFile::create(path, settings_to_json(settings));
    InstantWorkers workers(10);
    Search(settings, data()).run(file, workers, {}, [&] { return workers.tired(); });
    return read_file(path);
  }();
  return bytes;
}

class Vandal {
 public:
  Vandal(const std::string& path, Rng rng) : rng_(std::move(rng)) {
    sqlite3_open(path.c_str(), &handle_);
    run("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = "
        "ON");
  }
  ~Vandal() { sqlite3_close(handle_); }
  Vandal(const Vandal&) = delete;
  Vandal& operator=(const Vandal&) = delete;

  void strike() {
    const std::string table = kTables[rng_.below(std::size(kTables))];
    if (rng_.chance(0.3))  // a table without types, keys and constraints
      run(
          fmt::format("CREATE TABLE free AS SELECT * FROM {0}; DROP TABLE {0}; "
                      "ALTER TABLE free RENAME TO {0}",
                      table));
    const std::string column = pick(fmt::format("SELECT name FROM pragma_table_info('{}')", table));
    const std::string row = one_row(table);
    switch (rng_.below(8)) {
      case 0:
        return run(fmt::format("DELETE FROM {} WHERE {}", table, row));
      case 1:
        return run(rng_.chance(0.3) ? fmt::format("DROP TABLE {}", table)
                                    : fmt::format("DELETE FROM {}", table));
      case 2:
        return run(fmt::format("UPDATE {} SET {} = {}", table, column, value(table, column)));
      case 3:
        return run(
            fmt::format("INSERT OR REPLACE INTO {0} SELECT * FROM {0} WHERE {1}", table, row));
      case 4:
        return edit_settings();
      default:
        run(fmt::format("UPDATE OR REPLACE {} SET {} = {} WHERE {}", table, column,
                        value(table, column), row));
    }
  }

 private:
  void run(const std::string& sql) {  // what is refused is not done
    sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  }

  // One of the texts that a query gives.
  std::string pick(const std::string& query) {
    std::vector<std::string> all;
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(handle_, query.c_str(), -1, &statement, nullptr);
    while (statement && sqlite3_step(statement) == SQLITE_ROW)
      if (const auto* text = sqlite3_column_text(statement, 0))
        all.emplace_back(reinterpret_cast<const char*>(text));
    sqlite3_finalize(statement);
    return all.empty() ? "NULL" : all[rng_.below(uint32_t(all.size()))];
  }

  // A condition that is true of one row, or a few that are alike in two columns.
  std::string one_row(const std::string& table) {
    const std::string names = fmt::format("SELECT name FROM pragma_table_info('{}')", table);
    const std::string a = pick(names), b = pick(names);
    return pick(fmt::format(
        "SELECT '{0} IS ' || quote({0}) || ' AND {1} IS ' || quote({1}) FROM {2}", a, b, table));
  }

  std::string value(const std::string& table, const std::string& column) {
    static const char* const strange[] = {"NULL",
                                          "-1",
                                          "0",
                                          "1",
                                          "2",
                                          "2147483648",
                                          "1e300",
                                          "-1.5",
                                          "9e999",
                                          "''",
                                          "'x'",
                                          "x'00ff'",
                                          "'12'",
                                          "'\x1b[2J'",
                                          "'search'",
                                          "4611686018427387904",
                                          "'11111-91111'",
                                          "printf('%.*c', 100000, 'x')"};
    if (rng_.chance(0.5)) return strange[rng_.below(std::size(strange))];
    return pick(fmt::format("SELECT quote({}) FROM {}", column, table));
  }

  void edit_settings() {
    const std::string text = pick("SELECT settings FROM run");
    nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || json.empty()) return;
    auto entry = json.begin();
    std::advance(entry, rng_.below(uint32_t(json.size())));
    static const nlohmann::json strange[] = {nullptr,
                                             0,
                                             -1,
                                             1,
                                             2,
                                             3,
                                             1e300,
                                             0.5,
                                             1'000'000'000,
                                             int64_t(1) << 62,
                                             "",
                                             "x",
                                             "random",
                                             nlohmann::json::array(),
                                             nlohmann::json::object(),
                                             {"quality"},
                                             {"params", "cache"},
                                             {{"params", 1}},
                                             {{"quality", -1}},
                                             "1",
                                             std::string(1000, '[')};
    if (rng_.chance(0.2))
      json.erase(entry.key());
    else
      entry.value() = strange[rng_.below(std::size(strange))];
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(handle_, "UPDATE run SET settings = ?", -1, &statement, nullptr);
    const std::string changed = json.dump();
    sqlite3_bind_text(statement, 1, changed.data(), int(changed.size()), SQLITE_TRANSIENT);
    sqlite3_step(statement);
    sqlite3_finalize(statement);
  }

  Rng rng_;
  sqlite3* handle_ = nullptr;
};

void read_all(const std::string& path, bool retry) {
  CheckedRun run = open_run_file(path);
  const std::vector<FrontMember> front = last_front(run.settings, run.contents);
  const std::string broken = broken_bounds(run.settings, front);
  promise(broken.empty() || front.size() > 0, "a front of nobody breaks the bounds");
  const Pool pool = named_pool(run.settings.pool);
  for (auto& c : run.contents.candidates) motifs_of(parse(c.genome, pool), pool);
  promise(!report_data(run.file, "fuzz").is_null(), "no report");
  InstantWorkers workers(1000);
  int left = 300;
  Search search(run.settings, data());
  const SearchResult result = search.run(
      run.file, workers, {}, [&] { return left-- <= 0; }, retry);
  promise(result.interrupted || result.generations == run.settings.generations, "not at the end");
  open_run_file(path);  // what the search has made of it makes sense again
}

}  // namespace

bool run_run_file(std::string_view input) {
  static const MemoryFolder folder;
  const std::string path = folder.path / "run";
  const std::string_view bytes = good_run();
  std::filesystem::remove(path + "-journal");
  {
    std::FILE* file = std::fopen(path.c_str(), "wb");  // not synchronised, as write_file is
    promise(file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size(), "no file");
    std::fclose(file);
  }
  {
    Vandal vandal(path, Rng(hash_text(input), "fuzz.run"));
    const size_t strikes = input.empty() ? 0 : 1 + input.size() % 3;
    for (size_t i = 0; i < strikes; ++i) vandal.strike();
  }
  return accepted([&] { read_all(path, input.size() % 2 == 1); });
}

std::vector<std::string> run_file_seeds() {
  std::vector<std::string> seeds = {""};
  for (int i = 0; i < 40; ++i) seeds.push_back(fmt::format("{}", i));
  return seeds;
}

}  // namespace star
