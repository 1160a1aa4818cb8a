// A run file as a file: how it comes about, by what it is known, and who may write it.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/file.h"
#include "star/run_database.h"
#include "star/search_settings.h"

namespace star::synthesis {
namespace {

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

struct flock claim_lock() {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = off_t(1) << 60;
  lock.l_len = 1;
  return lock;
}

}  // namespace

int64_t pragma(const Connection& connection, const char* name) {
  Statement statement(connection, fmt::format("PRAGMA {}", name));
  return statement.next() ? statement.integer() : 0;
}

RunFile::Database::Database(const std::string& path, bool create) : Connection(path, create) {
  execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
}

RunFile::Database::~Database() {
  if (claim_ >= 0) ::close(claim_);
}

// Closing the descriptor ends SQLite's own locks of this process, so no transaction may be open.
bool RunFile::Database::is_claimed() const {
  const int descriptor = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
  require(descriptor >= 0, "{}: {}", path(), std::strerror(errno));
  struct flock lock = claim_lock();
  const int status = ::fcntl(descriptor, F_OFD_GETLK, &lock), reason = errno;
  ::close(descriptor);
  require(status == 0, "{}: {}", path(), std::strerror(reason));
  return lock.l_type != F_UNLCK;
}

void RunFile::Database::claim() {
  require(version() == kRunFileFormat,
          "{}: an older version of star made it: it can be looked at, not gone on with", path());
  claim_ = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  require(claim_ >= 0, "{}: {}", path(), std::strerror(errno));
  struct flock lock = claim_lock();
  for (int tries = 0; ::fcntl(claim_, F_OFD_SETLK, &lock) != 0; ++tries) {
    int reason = errno;
    require(reason == EACCES || reason == EAGAIN, "{}: {}", path(), std::strerror(reason));
    require(tries < kClaimTries, "{}: another process is at work on this run", path());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

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
      auto marks = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kRunFileMark,
                               kRunFileFormat);
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
  require(pragma(*database, "application_id") == kRunFileMark, "{}: not a run file", path);
  int64_t version = pragma(*database, "user_version");
  require(version >= 1, "{}: not a run file", path);
  require(version <= kRunFileFormat,
          "{}: written by a newer version of star (format {}, this one reads {})", path, version,
          kRunFileFormat);
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
  return std::memcmp(head.data(), "SQLite format 3", 16) == 0 && application == kRunFileMark;
}

}  // namespace star::synthesis
