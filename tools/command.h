// What the subcommands share: their common options, how they open data, how they print.
//
// A subcommand is a function that declares its options on the application and sets what to run.
// Standard output is for results (one JSON document with --json), standard error for progress.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "liv/layout.h"
#include "star/data.h"
#include "star/genome.h"
#include "star/objectives.h"
#include "star/search_settings.h"
#include "star/tokenizer.h"
#include "star/trainer.h"

namespace star::cli {

// The work itself failed: exit status 1, where `Error` (bad input, wrong usage) is 2.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what) : std::runtime_error(what) {}
};

// Interrupted, everything saved: exit status 130 with this line.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(const std::string& what) : std::runtime_error(what) {}
};

struct Common {
  uint64_t seed = 0;
  int threads = 0;  // 0: all cores
  std::string device = "cpu";
  bool quiet = false, json = false;

  void declare(CLI::App& app);
  std::unique_ptr<Exec> make_exec() const;  // for one model with all threads
  int cores() const;
  // Trainings at a time where `asked` is 0: one for each core, or on a GPU as many as keep an H100
  // busy; more are hardly faster (cuda/README.md).
  int trainings(int asked, const std::string& on_device) const;
  static constexpr int kTrainingsOnGpu = 8;
};

// Where training data comes from.
struct DataOptions {
  std::string path, task, text_field = {}, tokenizer_path = {};
  int64_t vocab = 0;                                // as of DataSource
  std::shared_ptr<const Tokenizer> tokenizer = {};  // of that path, once the data is open
  bool silent = false;                              // without warnings

  static DataOptions of(const SearchSettings& settings);
  void declare(CLI::App& app);
  bool given() const { return !path.empty() || !task.empty(); }
  // `length` is the number of tokens a sequence that --seq says; 0: none. Where neither it nor the
  // task says one, `usual` holds; 0: the task's own, or 128 for text. Error where they differ.
  // `seed` fixes what a generated task asks for. Warns of what is not read or had to be guessed.
  std::unique_ptr<Dataset> open(int64_t length, int64_t usual, uint64_t seed);
};

// The path from the root, without "." and "..".
std::string absolute_path(const std::string& path);

// --seq.
void declare_length(CLI::App& app, int64_t& length, const std::string& otherwise);

// --validation-tokens.
void declare_validation(CLI::App& app, int64_t& tokens);

struct ModelOptions {
  Sizes sizes;
  int64_t length = 0;             // as for DataOptions::open
  std::string pool = "extended";  // what `named_pool` takes
  std::string pool_path = {};     // --pool as it was given
  int depth = 0;                  // of a name that says none; 0: the usual one

  void declare(CLI::App& app);
  void declare_depth(CLI::App& app);  // --depth, beside one genome
  // The sizes with vocabulary and length taken from the data; checked.
  Sizes for_data(const Dataset& data) const;
  // A name with the depth that was given. Error: the text, which says its own, beside --depth.
  std::string at_depth(const std::string& text) const;
  // A name, or a genome that is valid in the pool in force.
  Genome genome(const std::string& text, Pool& pool_in_force) const;
};

// A class by its id ("1") or name ("SA-1"), or the one LIV of a genome ("11111|1:12133"), all in
// the extended pool. Throws Error.
LivClass class_named(const std::string& text);

// --pool: a name stays, a file becomes its text, as `named_pool` takes it.
void declare_pool(CLI::App& app, std::string& pool, std::string* path = nullptr);

void declare_training(CLI::App& app, TrainOptions& options);

// Error: an option was given that has no effect under these.
void check_training(const CLI::App& app, const TrainOptions& options);

// From here on SIGINT, SIGTERM and SIGHUP end the program at once, with a line and exit status 130.
// A SIGHUP that was ignored when the program began (nohup) stays so.
void end_on_signals();

// True once one of these signals has come: from the first call on they end nothing by themselves.
bool interrupted();

// Progress on standard error: a bar that redraws itself on a terminal, in colour unless NO_COLOR is
// set; a line now and then elsewhere; nothing when quiet. The rate is that of this process: what
// was done before the first update does not count.
class Progress {
 public:
  Progress(bool quiet, std::string what, int64_t total);
  ~Progress();
  void update(int64_t done, const std::string& note);
  void finish();

 private:
  bool quiet_, terminal_;
  std::string what_;
  int64_t total_;
  int64_t before_ = -1;  // done at the first update
  double start_ = 0, last_ = 0;
  bool drawn_ = false;
};

// The one document of --json. Bytes that are no UTF-8 are replaced: JSON cannot hold them.
void print_json(const nlohmann::json& document);

double nats_to_bits(double nats);

// {"loss", "standard_error", "tokens", "bits", "bpb", "perplexity", "accuracy", "macro_accuracy"}:
// `tokens` are the targets that count, `bits` those of the loss, and bpb null where nobody knows how
// many bytes of text the targets are.
nlohmann::json judgement_json(const Judgement& j);

// "1.2345 ± 0.0067 nats, 1.7810 bits a byte", or "…, 1.7810 bits a token", with bits a byte after
// these where they are known; and for a table of losses: "quality: nats a target over 16384 targets
// of the validation part, standard error up to 0.0123".
std::string loss_text(double loss, double standard_error, const Dataset& data);
std::string loss_text(const Judgement& j, const Dataset& data);
std::string judged_text(const std::vector<const Metrics*>& judged);

// The declaration of each command. `app` is the program, or the command above.
#define STAR_COMMAND(name) void declare_##name(CLI::App& app);
#define STAR_COMMAND_OF(above, name) void declare_##above##_##name(CLI::App& app);
#include "tools/commands.def"
#undef STAR_COMMAND
#undef STAR_COMMAND_OF

}  // namespace star::cli
