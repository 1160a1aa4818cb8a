// The run file: all that a search has found out, in one SQLite database.
//
// Every record is one transaction under a rollback journal with full synchronisation: after a crash
// at any moment the file holds a record whole or not at all. The database bears the application id
// 0x53544152 ("STAR") and, as user version, the version of this format. Its tables:
//
//   run           one row: `settings`, a JSON text, written at creation and never again
//   reference     the reference point of the hypervolume: `objective`, `value`
//   genomes       `id`, `genome`: each canonical genome once; the others refer to it by id
//   candidates    who was bred: `generation`, `place` in it, `genome`, `origin` in words (random,
//                 seed, the operators that made it)
//   parents       of a candidate: `generation`, `place`, `nth`, `genome`
//   evaluations   `id`, `genome`, `recipe` (star/trial.h: "search" for a candidate's training,
//                 "search:rung=30" for its part until a rung, "search:seed=1" from another seed;
//                 others for what is trained after the search), `status` (ok or failed), `failure`
//                 (why, else empty), `seconds` it took
//   metrics       of an evaluation: `evaluation`, `name`, `value`
//   curve         training losses of an evaluation: `evaluation`, `step`, `loss`
//   generations   `generation`, `hypervolume` of its front and `scaled` (star/archive.h),
//                 `evaluated` so far, `failed` so far; how many of its own candidates were
//                 `promoted` past the last rung (star/promotion.h), and of these `rung_tau`,
//                 Kendall's τ of the loss there with the quality; `model_tau`, that of what the
//                 screening expected of them (star/screening.h) with what they first came to
//   members       the population after selection: `generation`, `place`, `genome`
//   stopped       candidates of the generation that stopped at a rung, whatever else the file knows
//                 of them: `generation`, `place`, `genome`
//   fronts        of all that was evaluated so far what is not dominated: `generation`, `place`,
//                 `genome`
//
// In format 1 the front was that of the population, marked in `members`; up to format 2 there were
// no rungs. Such files can be read, not gone on with.
//
// Numbers that are measured are kept bit for bit in columns of type ANY (REAL would turn −0 into
// 0), NaN as NULL.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "star/curve.h"
#include "star/recipe.h"

namespace star::synthesis {

struct Evaluation {
  std::string genome;   // canonical
  Recipe recipe = {};   // how it was trained
  std::string failure;  // empty: it succeeded
  double seconds = 0;
  std::map<std::string, double> metrics;  // objectives among them
  std::vector<CurvePoint> curve;          // by step

  bool ok() const { return failure.empty(); }
};

struct Candidate {
  int generation = 0;
  int place = 0;
  std::string genome;
  std::vector<std::string> parents;
  std::string origin;
  bool operator==(const Candidate&) const = default;
};

struct Generation {
  int generation = 0;
  std::vector<std::string> population;
  std::vector<std::string> front;  // of all that was evaluated until its end
  double hypervolume = 0;          // of the front
  int64_t evaluated = 0;
  int64_t failed = 0;
  double scaled = 0;  // HypervolumeScale; NaN before some front keeps the bounds
  std::vector<std::string> stopped = {};                        // at a rung, of its own candidates
  int64_t promoted = 0;                                         // past the last rung, likewise
  double rung_tau = std::numeric_limits<double>::quiet_NaN();   // of those promoted, if it has one
  double model_tau = std::numeric_limits<double>::quiet_NaN();  // of its own candidates, likewise
};

// How well the loss at the last rung foretold the quality: the mean of τ over generations, each of
// which is of some ten pairs. NaN where none has one.
double mean_rung_tau(const std::vector<Generation>& generations);

// Whether a later rung would be better: that is less than a τ of 0.4 among all would be among the
// share `keep` of them that goes on (`tau_among_best`).
bool rungs_tell_little(const std::vector<Generation>& generations, double keep);

// All of it at one moment.
struct RunContents {
  std::map<std::string, double> reference;
  std::vector<Generation> generations;
  std::vector<Candidate> candidates;
  std::vector<Evaluation> evaluations;
};

// The name of a new run file is taken.
class RunFileExists : public Error {
 public:
  using Error::Error;
};

// A run file that says what cannot be: to go on with it is no use.
class RunFileDamaged : public Error {
 public:
  using Error::Error;
};

// Not for several threads at once. Other processes may read while a search writes. Every method
// throws Error when the file is damaged or locked for half a minute, WriteError when the disk is
// full or the file has been deleted.
//
// What is read is of the type that it should have, and rows refer to rows that exist; whether it
// makes sense is checked by open_run_file (star/run_check.h).
class RunFile {
 public:
  // RunFileExists: there is such a file (the text names --resume). It appears complete or not at
  // all.
  static RunFile create(const std::string& path, const std::string& settings);
  // Errors: missing, not a run file, damaged, written by a newer version.
  static RunFile open(const std::string& path);

  const std::string& path() const;

  // Makes this process the only one that goes on with the run, as long as this object lives. Other
  // processes may read. Error: another one does already, the file cannot be written, or it is of an
  // older format.
  void claim();
  // Whether somebody has claimed it through another object.
  bool is_claimed() const;

  RunFile(RunFile&&) noexcept;
  RunFile& operator=(RunFile&&) noexcept;
  ~RunFile();

  std::string settings() const;

  void record_reference(const std::map<std::string, double>& point);
  std::map<std::string, double> reference() const;  // empty before it is recorded

  // What is recorded again replaces what was there: a resumed search may repeat its last steps.
  void record(const Evaluation& evaluation);
  // False, and nothing is recorded, once `interrupted` says so.
  bool record(const std::vector<Candidate>& candidates,
              const std::function<bool()>& interrupted = {});
  void record(const Generation& generation);
  // What a candidate has come to that was tried again; and forgets what may follow from what it had
  // come to before: all candidates but the first `candidates`, all generations but the first
  // `generations`. Evaluations stay.
  void record_anew(const Evaluation& evaluation, size_t candidates, size_t generations);
  // The run goes on under other settings; and forgets how generations ended, all but the first
  // `generations`: candidates and evaluations stay.
  void record_settings(const std::string& settings, size_t generations);

  std::optional<Evaluation> evaluation(const std::string& genome, const Recipe& recipe = {}) const;
  std::vector<Evaluation> evaluations() const;  // in the order in which they were first recorded
  std::vector<Candidate> candidates() const;    // by generation and place
  std::vector<Generation> generations() const;  // by number
  RunContents contents() const;

 private:
  class Database;
  explicit RunFile(std::unique_ptr<Database> database);

  std::unique_ptr<Database> database_;
};

// Whether the file bears the marks of a run file; nothing else of it is read.
bool is_run_file(const std::string& path);

}  // namespace star::synthesis
