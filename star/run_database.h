// The tables of a run file, as star/store.h documents them: what stands behind RunFile, and nobody
// else includes.
#pragma once

#include "star/sqlite.h"
#include "star/store.h"

namespace star::synthesis {

// Marks by which a run file is known, and the format that this program writes.
inline constexpr int64_t kRunFileMark = 0x53544152;  // "STAR"
inline constexpr int64_t kRunFileFormat = 3;

int64_t pragma(const Connection& connection, const char* name);

class RunFile::Database : public Connection {
 public:
  Database(const std::string& path, bool create);
  ~Database();

  // A lock of an open file description, far behind the bytes that SQLite locks: SQLite's unlocking
  // does not touch it, and it ends with this process, however that ends, once its workers have
  // ended too. They do so at once, which is waited for.
  void claim();
  bool is_claimed() const;

  int64_t version() const { return pragma(*this, "user_version"); }

  // Writing and reading belong into a transaction of the caller.
  int64_t genome_id(const std::string& genome);
  void write(const Evaluation& evaluation);
  void forget_generations(size_t from);

  // The evaluation at the statement's row (id, genome, recipe, status, failure, seconds).
  Evaluation read_evaluation(Statement& row);
  std::map<std::string, double> reference();
  std::vector<Evaluation> evaluations();
  std::vector<Candidate> candidates();
  std::vector<Generation> generations();

 private:
  int claim_ = -1;
};

}  // namespace star::synthesis
