#include "star/store.h"

#include <cmath>

#include "star/run_database.h"
#include "star/statistics.h"

namespace star::synthesis {

int64_t RunFile::Database::genome_id(const std::string& genome) {
  Statement(*this, "INSERT OR IGNORE INTO genomes (genome) VALUES (?)").bind(genome).run();
  Statement find(*this, "SELECT id FROM genomes WHERE genome = ?");
  require(find.bind(genome).next(), "{}: the run file is damaged: a genome is lost", path());
  return find.integer();
}

void RunFile::Database::write(const Evaluation& evaluation) {
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

void RunFile::Database::forget_generations(size_t from) {
  for (const char* table : {"members", "stopped", "fronts", "generations"})
    Statement(*this, fmt::format("DELETE FROM {} WHERE generation >= ?", table)).bind(from).run();
}

RunFile::RunFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
RunFile::RunFile(RunFile&&) noexcept = default;
RunFile& RunFile::operator=(RunFile&&) noexcept = default;
RunFile::~RunFile() = default;

const std::string& RunFile::path() const { return database_->path(); }

void RunFile::claim() { database_->claim(); }

bool RunFile::is_claimed() const { return database_->is_claimed(); }

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
  database_->forget_generations(generations);
  transaction.commit();
}

void RunFile::record_settings(const std::string& settings, size_t generations) {
  Transaction transaction(*database_);
  Statement(*database_, "UPDATE run SET settings = ?").bind(settings).run();
  database_->forget_generations(generations);
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

bool rungs_tell_little(const std::vector<Generation>& generations, double keep) {
  return mean_rung_tau(generations) < tau_among_best(0.4, keep);
}

}  // namespace star::synthesis
