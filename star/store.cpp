#include "star/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/file.h"
#include "star/search_settings.h"
#include "star/sqlite.h"

namespace star {
namespace {

constexpr int64_t kApplication = 0x53544152;  // "STAR"
constexpr int64_t kVersion = 3;
constexpr int kClaimTries = 100;  // 20 ms apart

constexpr const char* kSchema = R"(
CREATE TABLE run (settings TEXT NOT NULL) STRICT;
CREATE TABLE reference (objective TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE genomes (id INTEGER PRIMARY KEY, genome TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE candidates (
  generation INTEGER, place INTEGER, genome INTEGER NOT NULL REFERENCES genomes,
  origin TEXT NOT NULL, PRIMARY KEY (generation, place)) STRICT, WITHOUT ROWID;
CREATE TABLE parents (
  generation INTEGER, place INTEGER, nth INTEGER, genome INTEGER NOT NULL REFERENCES genomes,
  PRIMARY KEY (generation, place, nth)) STRICT, WITHOUT ROWID;
CREATE TABLE evaluations (
  id INTEGER PRIMARY KEY, genome INTEGER NOT NULL REFERENCES genomes, recipe TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('ok', 'failed')), failure TEXT NOT NULL, seconds ANY,
  UNIQUE (genome, recipe)) STRICT;
CREATE TABLE metrics (
  evaluation INTEGER REFERENCES evaluations, name TEXT, value ANY,
  PRIMARY KEY (evaluation, name)) STRICT, WITHOUT ROWID;
CREATE TABLE curve (
  evaluation INTEGER REFERENCES evaluations, step INTEGER, loss ANY,
  PRIMARY KEY (evaluation, step)) STRICT, WITHOUT ROWID;
CREATE TABLE generations (
  generation INTEGER PRIMARY KEY, hypervolume ANY, scaled ANY, evaluated INTEGER NOT NULL,
  failed INTEGER NOT NULL, promoted INTEGER NOT NULL, rung_tau ANY, model_tau ANY) STRICT;
CREATE TABLE members (
  generation INTEGER REFERENCES generations, place INTEGER,
  genome INTEGER NOT NULL REFERENCES genomes,
  PRIMARY KEY (generation, place)) STRICT, WITHOUT ROWID;
CREATE TABLE stopped (
  generation INTEGER REFERENCES generations, place INTEGER,
  genome INTEGER NOT NULL REFERENCES genomes,
  PRIMARY KEY (generation, place)) STRICT, WITHOUT ROWID;
CREATE TABLE fronts (
  generation INTEGER REFERENCES generations, place INTEGER,
  genome INTEGER NOT NULL REFERENCES genomes,
  PRIMARY KEY (generation, place)) STRICT, WITHOUT ROWID;
)";

int64_t pragma(const Connection& connection, const char* name) {
  Statement statement(connection, fmt::format("PRAGMA {}", name));
  return statement.next() ? statement.integer() : 0;
}

[[noreturn]] void fail_for_name(const std::string& path) {
  std::string text = fmt::format("{}: exists already", path);
  if (is_run_file(path)) text += fmt::format("; --resume {} goes on with it", shell_path(path));
  throw RunFileExists(text);
}

// Gives the finished file its name. link() fails where the name is taken, which rename() does not;
// file systems without hard links are left with the check before.
void publish(TemporaryFile& temporary, const std::string& path) {
  int reason = ::link(temporary.name().c_str(), path.c_str()) == 0 ? 0 : errno;
  if (reason == EPERM || reason == EOPNOTSUPP || reason == ENOSYS) {
    reason = ::rename(temporary.name().c_str(), path.c_str()) == 0 ? 0 : errno;
    if (reason == 0) temporary.keep();
  }
  if (reason == EEXIST) fail_for_name(path);
  if (reason) fail_writing(path, reason);
  synchronise_folder(path);
}

}  // namespace

class RunFile::Database : public Connection {
 public:
  Database(const std::string& path, bool create) : Connection(path, create) {
    execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  }

  ~Database() {
    if (claim_ >= 0) ::close(claim_);
  }

  // A lock of an open file description, far behind the bytes that SQLite locks: SQLite's unlocking
  // does not touch it, and it ends with this process, however that ends, once its workers have
  // ended too. They do so at once, which is waited for.
  void claim() {
    require(version() == kVersion,
            "{}: an older version of star made it: it can be looked at, not gone on with", path());
    claim_ = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
    require(claim_ >= 0, "{}: {}", path(), std::strerror(errno));
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = off_t(1) << 60;
    lock.l_len = 1;
    for (int tries = 0; ::fcntl(claim_, F_OFD_SETLK, &lock) != 0; ++tries) {
      int reason = errno;
      require(reason == EACCES || reason == EAGAIN, "{}: {}", path(), std::strerror(reason));
      require(tries < kClaimTries, "{}: another process is at work on this run", path());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  int64_t version() const { return pragma(*this, "user_version"); }

  int64_t genome_id(const std::string& genome) {
    Statement(*this, "INSERT OR IGNORE INTO genomes (genome) VALUES (?)").bind(genome).run();
    Statement find(*this, "SELECT id FROM genomes WHERE genome = ?");
    require(find.bind(genome).next(), "{}: the run file is damaged: a genome is lost", path());
    return find.integer();
  }

  // The evaluation at the statement's row (id, genome, recipe, status, failure, seconds).
  Evaluation read_evaluation(Statement& row) {
    int64_t id = row.integer();
    Evaluation evaluation;
    evaluation.genome = row.text();
    evaluation.recipe = row.text();
    const std::string status = row.text();
    evaluation.failure = row.text();
    require((status == "ok") == evaluation.ok(),
            "{}: the run file is damaged: the evaluation of {} is {}, with the failure `{}`",
            path(), evaluation.genome, status, evaluation.failure);
    evaluation.seconds = row.real();
    Statement metrics(*this, "SELECT name, value FROM metrics WHERE evaluation = ?");
    for (metrics.bind(id); metrics.next();) {
      auto name = metrics.text();
      evaluation.metrics[name] = metrics.real();
    }
    Statement curve(*this, "SELECT step, loss FROM curve WHERE evaluation = ? ORDER BY step");
    for (curve.bind(id); curve.next();) {
      auto step = curve.integer();
      evaluation.curve.push_back({step, curve.real()});
    }
    return evaluation;
  }

  // All that follow belong into a transaction of the caller.
  void write(const Evaluation& evaluation) {
    int64_t genome = genome_id(evaluation.genome);
    Statement upsert(*this,
                     "INSERT INTO evaluations (genome, recipe, status, failure, seconds) "
                     "VALUES (?, ?, ?, ?, ?) ON CONFLICT (genome, recipe) DO UPDATE SET "
                     "status = excluded.status, failure = excluded.failure, "
                     "seconds = excluded.seconds RETURNING id");
    upsert.bind(genome, evaluation.recipe.text(), std::string(evaluation.ok() ? "ok" : "failed"),
                evaluation.failure, evaluation.seconds);
    require(upsert.next(), "{}: the evaluation was not stored", path());
    int64_t id = upsert.integer();
    upsert.run();
    Statement(*this, "DELETE FROM metrics WHERE evaluation = ?").bind(id).run();
    Statement(*this, "DELETE FROM curve WHERE evaluation = ?").bind(id).run();
    Statement metric(*this, "INSERT INTO metrics VALUES (?, ?, ?)");
    for (const auto& [name, value] : evaluation.metrics) metric.bind(id, name, value).run();
    Statement point(*this, "INSERT INTO curve VALUES (?, ?, ?)");
    for (const auto& [step, loss] : evaluation.curve) point.bind(id, step, loss).run();
  }

  std::map<std::string, double> reference() {
    std::map<std::string, double> point;
    for (Statement row(*this, "SELECT objective, value FROM reference"); row.next();) {
      auto objective = row.text();
      point[objective] = row.real();
    }
    return point;
  }

  std::vector<Evaluation> evaluations() {
    std::vector<Evaluation> all;
    Statement row(*this,
                  "SELECT e.id, g.genome, recipe, status, failure, seconds FROM evaluations e "
                  "JOIN genomes g ON g.id = e.genome ORDER BY e.id");
    while (row.next()) all.push_back(read_evaluation(row));
    return all;
  }

  std::vector<Candidate> candidates() {
    std::vector<Candidate> all;
    Statement row(*this,
                  "SELECT generation, place, g.genome, origin FROM candidates c "
                  "JOIN genomes g ON g.id = c.genome ORDER BY generation, place");
    Statement parent(*this,
                     "SELECT g.genome FROM parents p JOIN genomes g ON g.id = p.genome "
                     "WHERE generation = ? AND place = ? ORDER BY nth");
    while (row.next()) {
      Candidate candidate;
      candidate.generation = row.index();
      candidate.place = row.index();
      candidate.genome = row.text();
      candidate.origin = row.text();
      for (parent.bind(candidate.generation, candidate.place); parent.next();)
        candidate.parents.push_back(parent.text());
      all.push_back(std::move(candidate));
    }
    return all;
  }

  std::vector<Generation> generations() {
    std::vector<Generation> all;
    const bool old = version() == 1, rungs = version() >= 3;
    Statement row(*this, fmt::format("SELECT generation, hypervolume, {}, evaluated, failed, {} "
                                     "FROM generations ORDER BY generation",
                                     old ? "NULL" : "scaled",
                                     rungs ? "promoted, rung_tau, model_tau" : "0, NULL, NULL"));
    constexpr const char* kGenomes =
        "SELECT g.genome FROM {} m JOIN genomes g ON g.id = m.genome WHERE {} generation = ? "
        "ORDER BY place";
    Statement member(*this, fmt::format(fmt::runtime(kGenomes), "members", ""));
    Statement front(*this, old ? fmt::format(fmt::runtime(kGenomes), "members", "front = 1 AND")
                               : fmt::format(fmt::runtime(kGenomes), "fronts", ""));
    std::optional<Statement> stopped;
    if (rungs) stopped.emplace(*this, fmt::format(fmt::runtime(kGenomes), "stopped", ""));
    while (row.next()) {
      Generation generation;
      generation.generation = row.index();
      generation.hypervolume = row.real();
      generation.scaled = row.real();
      generation.evaluated = row.integer();
      generation.failed = row.integer();
      generation.promoted = row.integer();
      generation.rung_tau = row.real();
      generation.model_tau = row.real();
      for (member.bind(generation.generation); member.next();)
        generation.population.push_back(member.text());
      for (front.bind(generation.generation); front.next();)
        generation.front.push_back(front.text());
      if (stopped)
        for (stopped->bind(generation.generation); stopped->next();)
          generation.stopped.push_back(stopped->text());
      all.push_back(std::move(generation));
    }
    return all;
  }

 private:
  int claim_ = -1;
};

RunFile::RunFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
RunFile::RunFile(RunFile&&) noexcept = default;
RunFile& RunFile::operator=(RunFile&&) noexcept = default;
RunFile::~RunFile() = default;

RunFile RunFile::create(const std::string& path, const std::string& settings) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) fail_for_name(path);
  {
    TemporaryFile temporary(path);
    try {
      Database database(temporary.name(), true);
      Transaction transaction(database);
      database.execute(kSchema);
      Statement(database, "INSERT INTO run (settings) VALUES (?)").bind(settings).run();
      auto marks = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplication,
                               kVersion);
      database.execute(marks.c_str());
      transaction.commit();
    } catch (const WriteError& e) {
      throw WriteError(fmt::format("{}: the run file cannot be created: {}", path, e.what()));
    } catch (const Error& e) {
      fail("{}: the run file cannot be created: {}", path, e.what());
    }
    publish(temporary, path);
  }
  return open(path);
}

RunFile RunFile::open(const std::string& path) {
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  require(std::filesystem::exists(status), "{}: {}", path,
          error ? error.message() : "no such run file");
  require(std::filesystem::is_regular_file(status), "{}: not a run file", path);
  const int reason = ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0 ? 0 : errno;
  require(reason == 0, "{}: {}", path, std::strerror(reason));
  auto database = std::make_unique<Database>(path, false);
  require(pragma(*database, "application_id") == kApplication, "{}: not a run file", path);
  int64_t version = pragma(*database, "user_version");
  require(version >= 1, "{}: not a run file", path);
  require(version <= kVersion,
          "{}: written by a newer version of star (format {}, this one reads {})", path, version,
          kVersion);
  Statement check(*database, "PRAGMA quick_check(1)");
  require(check.next() && check.text() == "ok", "{}: the run file is damaged", path);
  check.run();
  Statement lost(*database, "PRAGMA foreign_key_check");
  if (lost.next()) {
    const std::string table = lost.text();
    lost.skip();
    fail("{}: the run file is damaged: a row of `{}` refers to one of `{}` that is missing", path,
         table, lost.text());
  }
  RunFile file(std::move(database));
  file.settings();
  return file;
}

const std::string& RunFile::path() const { return database_->path(); }

void RunFile::claim() { database_->claim(); }

std::string RunFile::settings() const {
  Statement row(*database_, "SELECT settings FROM run");
  require(row.next(), "{}: the run file is damaged: it has no settings", database_->path());
  std::string settings = row.text();
  require(!row.next(), "{}: the run file is damaged: it has settings twice", database_->path());
  return settings;
}

void RunFile::record_reference(const std::map<std::string, double>& point) {
  Transaction transaction(*database_);
  database_->execute("DELETE FROM reference");
  Statement insert(*database_, "INSERT INTO reference VALUES (?, ?)");
  for (const auto& [objective, value] : point) insert.bind(objective, value).run();
  transaction.commit();
}

void RunFile::record(const Evaluation& evaluation) {
  Transaction transaction(*database_);
  database_->write(evaluation);
  transaction.commit();
}

void RunFile::record_anew(const Evaluation& evaluation, size_t candidates, size_t generations) {
  Transaction transaction(*database_);
  database_->write(evaluation);
  Statement first(*database_,
                  "SELECT generation, place FROM candidates ORDER BY generation, place "
                  "LIMIT 1 OFFSET ?");
  if (first.bind(candidates).next()) {
    const int generation = first.index(), place = first.index();
    for (const char* table : {"parents", "candidates"})
      Statement(*database_,
                fmt::format("DELETE FROM {} WHERE (generation, place) >= (?, ?)", table))
          .bind(generation, place)
          .run();
  }
  for (const char* table : {"members", "stopped", "fronts", "generations"})
    Statement(*database_, fmt::format("DELETE FROM {} WHERE generation >= ?", table))
        .bind(generations)
        .run();
  transaction.commit();
}

bool RunFile::record(const std::vector<Candidate>& candidates,
                     const std::function<bool()>& interrupted) {
  Transaction transaction(*database_);
  Statement insert(*database_, "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?)");
  Statement clear(*database_, "DELETE FROM parents WHERE generation = ? AND place = ?");
  Statement parent(*database_, "INSERT INTO parents VALUES (?, ?, ?, ?)");
  for (const auto& c : candidates) {
    if (interrupted && interrupted()) return false;
    insert.bind(c.generation, c.place, database_->genome_id(c.genome), c.origin).run();
    clear.bind(c.generation, c.place).run();
    for (size_t i = 0; i < c.parents.size(); ++i)
      parent.bind(c.generation, c.place, i, database_->genome_id(c.parents[i])).run();
  }
  transaction.commit();
  return true;
}

void RunFile::record(const Generation& generation) {
  const int number = generation.generation;
  Transaction transaction(*database_);
  for (const char* table : {"members", "stopped", "fronts"})
    Statement(*database_, fmt::format("DELETE FROM {} WHERE generation = ?", table))
        .bind(number)
        .run();
  Statement(*database_, "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(number, generation.hypervolume, generation.scaled, generation.evaluated,
            generation.failed, generation.promoted, generation.rung_tau, generation.model_tau)
      .run();
  auto put = [&](const char* table, const std::vector<std::string>& genomes) {
    Statement insert(*database_, fmt::format("INSERT INTO {} VALUES (?, ?, ?)", table));
    for (size_t i = 0; i < genomes.size(); ++i)
      insert.bind(number, i, database_->genome_id(genomes[i])).run();
  };
  put("members", generation.population);
  put("stopped", generation.stopped);
  put("fronts", generation.front);
  transaction.commit();
}

std::optional<Evaluation> RunFile::evaluation(const std::string& genome,
                                              const Recipe& recipe) const {
  Transaction reading(*database_, false);
  Statement row(*database_,
                "SELECT e.id, g.genome, recipe, status, failure, seconds FROM evaluations e "
                "JOIN genomes g ON g.id = e.genome WHERE g.genome = ? AND recipe = ?");
  if (!row.bind(genome, recipe.text()).next()) return std::nullopt;
  return database_->read_evaluation(row);
}

std::map<std::string, double> RunFile::reference() const {
  Transaction reading(*database_, false);
  return database_->reference();
}

std::vector<Evaluation> RunFile::evaluations() const {
  Transaction reading(*database_, false);
  return database_->evaluations();
}

std::vector<Candidate> RunFile::candidates() const {
  Transaction reading(*database_, false);
  return database_->candidates();
}

std::vector<Generation> RunFile::generations() const {
  Transaction reading(*database_, false);
  return database_->generations();
}

RunContents RunFile::contents() const {
  Transaction reading(*database_, false);
  return {database_->reference(), database_->generations(), database_->candidates(),
          database_->evaluations()};
}

double mean_rung_tau(const std::vector<Generation>& generations) {
  double sum = 0;
  int count = 0;
  for (auto& g : generations) {
    if (std::isnan(g.rung_tau)) continue;
    sum += g.rung_tau;
    ++count;
  }
  return count ? sum / count : std::nan("");
}

// SQLite's header: its name in the first 16 bytes, the application id, big-endian, at byte 68
// (sqlite.org/fileformat.html).
bool is_run_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::array<unsigned char, 72> head = {};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(head.data()), head.size())) return false;
  int64_t application = 0;
  for (size_t i = 68; i < 72; ++i) application = application << 8 | head[i];
  return std::memcmp(head.data(), "SQLite format 3", 16) == 0 && application == kApplication;
}

}  // namespace star
