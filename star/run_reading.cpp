// What a run file holds, read.
#include "star/run_database.h"

namespace star::synthesis {

Evaluation RunFile::Database::read_evaluation(Statement& row) {
  int64_t id = row.integer();
  Evaluation evaluation;
  evaluation.genome = row.text();
  evaluation.recipe = row.text();
  const std::string status = row.text();
  evaluation.failure = row.text();
  require((status == "ok") == evaluation.ok(),
          "{}: the run file is damaged: the evaluation of {} is {}, with the failure `{}`", path(),
          evaluation.genome, status, evaluation.failure);
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

std::map<std::string, double> RunFile::Database::reference() {
  std::map<std::string, double> point;
  for (Statement row(*this, "SELECT objective, value FROM reference"); row.next();) {
    auto objective = row.text();
    point[objective] = row.real();
  }
  return point;
}

std::vector<Evaluation> RunFile::Database::evaluations() {
  std::vector<Evaluation> all;
  Statement row(*this,
                "SELECT e.id, g.genome, recipe, status, failure, seconds FROM evaluations e "
                "JOIN genomes g ON g.id = e.genome ORDER BY e.id");
  while (row.next()) all.push_back(read_evaluation(row));
  return all;
}

std::vector<Candidate> RunFile::Database::candidates() {
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

std::vector<Generation> RunFile::Database::generations() {
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
    for (front.bind(generation.generation); front.next();) generation.front.push_back(front.text());
    if (stopped)
      for (stopped->bind(generation.generation); stopped->next();)
        generation.stopped.push_back(stopped->text());
    all.push_back(std::move(generation));
  }
  return all;
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

}  // namespace star::synthesis
