// A thin layer over SQLite's C interface: statements that bind and read by type, transactions that
// roll back unless committed, and errors that name the file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace star::synthesis {

class Connection {
 public:
  // Opens an existing database, or creates one where `create` says so.
  Connection(const std::string& path, bool create);

  void execute(const char* sql);
  int64_t last_id() const { return sqlite3_last_insert_rowid(handle_.get()); }
  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_.get(); }

  // Throws the Error or WriteError that the last result of SQLite stands for.
  [[noreturn]] void fail_with(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement. `bind` fills the parameters in order; `next` steps to a row; the reads take
// its columns in order. After `next` has returned false it can be bound again.
class Statement {
 public:
  Statement(const Connection& connection, std::string_view sql);

  template <class... Args>
  Statement& bind(const Args&... args) {
    int index = 0;
    (bind_one(++index, args), ...);
    return *this;
  }
  bool next();
  void run() {
    while (next()) {
    }
  }

  // Error: the column holds something of another type.
  int64_t integer();
  int index();    // an integer from 0 that is an int
  double real();  // an integer or real; NULL is NaN
  std::string text();
  void skip() { ++column_; }

 private:
  void bind_one(int index, int64_t value);
  void bind_one(int index, int value) { bind_one(index, int64_t(value)); }
  void bind_one(int index, size_t value) { bind_one(index, int64_t(value)); }
  void bind_one(int index, bool value) { bind_one(index, int64_t(value)); }
  void bind_one(int index, double value);  // SQLite stores NaN as NULL
  void bind_one(int index, const std::string& value);
  void check(int code) const;
  int next_of_type(std::initializer_list<int> types, const char* name);

  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  const Connection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int column_ = 0;
};

class Transaction {
 public:
  // A reading transaction sees one state of the file in all its statements.
  explicit Transaction(Connection& connection, bool writing = true) : connection_(connection) {
    connection_.execute(writing ? "BEGIN IMMEDIATE" : "BEGIN");
  }
  ~Transaction() {
    if (!done_) sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() {
    connection_.execute("COMMIT");
    done_ = true;
  }

 private:
  Connection& connection_;
  bool done_ = false;
};

}  // namespace star::synthesis
