#include "star/sqlite.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>

#include "core/error.h"

namespace star::synthesis {

namespace {

// Why the system did not read or write. Of a COMMIT that fails SQLite does not keep it, but nothing
// has replaced it since; what else `errno` may hold is no fault.
int io_reason(sqlite3* handle, int last) {
  const int kept = handle ? sqlite3_system_errno(handle) : 0;
  const bool fault = last == EFBIG || last == ENOSPC || last == EDQUOT || last == EIO;
  return kept ? kept : fault ? last : 0;
}

}  // namespace

Connection::Connection(const std::string& path, bool create) : path_(path) {
  sqlite3* handle = nullptr;
  int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
  int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) fail_with(code);
  sqlite3_busy_timeout(handle, 30'000);
  sqlite3_extended_result_codes(handle, 0);
}

void Connection::fail_with(int code) const {
  const int before = errno;
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      fail("{}: not a run file", path_);
    case SQLITE_CORRUPT:
      fail("{}: the run file is damaged", path_);
    case SQLITE_BUSY:
      fail("{}: the run file is in use by another process", path_);
    case SQLITE_FULL:
      throw WriteError(fmt::format("{}: no space left on the disk", path_));
    case SQLITE_READONLY:
      if (handle_ && sqlite3_extended_errcode(handle_.get()) == SQLITE_READONLY_DBMOVED)
        throw WriteError(
            fmt::format("{}: the run file is gone: it was deleted or moved meanwhile", path_));
      fail("{}: the run file cannot be written", path_);
    case SQLITE_CANTOPEN:
      if (int reason = handle_ ? sqlite3_system_errno(handle_.get()) : 0;
          reason == ENOSPC || reason == EDQUOT || reason == EMFILE || reason == ENFILE)
        throw WriteError(fmt::format("{}: {}", path_, std::strerror(reason)));
      fail("{}: neither it nor a journal beside it can be opened for writing", path_);
    case SQLITE_IOERR:
      if (int reason = io_reason(handle_.get(), before))
        throw WriteError(fmt::format("{}: {}", path_, std::strerror(reason)));
      throw WriteError(fmt::format("{}: it cannot be read or written", path_));
    case SQLITE_ERROR:  // a table or column that is not there
      fail("{}: the run file is damaged: {}", path_,
           handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code));
    default:
      fail("{}: {}", path_, handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code));
  }
}

void Connection::execute(const char* sql) {
  errno = 0;
  int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_with(code);
}

Statement::Statement(const Connection& connection, std::string_view sql) : connection_(connection) {
  sqlite3_stmt* handle = nullptr;
  int code = sqlite3_prepare_v2(connection.handle(), sql.data(), int(sql.size()), &handle, nullptr);
  handle_.reset(handle);
  check(code);
}

bool Statement::next() {
  column_ = 0;
  errno = 0;
  int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(handle_.get());
  if (code != SQLITE_DONE) connection_.fail_with(code);
  return false;
}

// Other programs may have written the file, and SQLite would turn what is of another type into
// something.
int Statement::next_of_type(std::initializer_list<int> types, const char* name) {
  const int column = column_++, type = sqlite3_column_type(handle_.get(), column);
  const char* title = sqlite3_column_name(handle_.get(), column);
  require(std::find(types.begin(), types.end(), type) != types.end(),
          "{}: the run file is damaged: a `{}` is no {}", connection_.path(),
          title ? title : "value", name);
  return column;
}

int64_t Statement::integer() {
  return sqlite3_column_int64(handle_.get(), next_of_type({SQLITE_INTEGER}, "whole number"));
}

int Statement::index() {
  const int column = column_;
  const int64_t value = integer();
  require(value >= 0 && value <= std::numeric_limits<int>::max(),
          "{}: the run file is damaged: a `{}` is {}", connection_.path(),
          sqlite3_column_name(handle_.get(), column), value);
  return int(value);
}

double Statement::real() {
  int column = next_of_type({SQLITE_FLOAT, SQLITE_INTEGER, SQLITE_NULL}, "number");
  bool null = sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
  return null ? std::numeric_limits<double>::quiet_NaN()
              : sqlite3_column_double(handle_.get(), column);
}

std::string Statement::text() {
  int column = next_of_type({SQLITE_TEXT}, "text");
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (!bytes) throw std::bad_alloc();
  return std::string(bytes, size_t(sqlite3_column_bytes(handle_.get(), column)));
}

void Statement::bind_one(int index, int64_t value) {
  check(sqlite3_bind_int64(handle_.get(), index, value));
}

void Statement::bind_one(int index, double value) {
  check(sqlite3_bind_double(handle_.get(), index, value));
}

void Statement::bind_one(int index, const std::string& value) {
  check(sqlite3_bind_text64(handle_.get(), index, value.data(), value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) connection_.fail_with(code);
}

}  // namespace star::synthesis
