// What tasks there are: their options, their table, and how their sequences come about
// (star/tasks.h).
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "core/rng.h"
#include "star/named.h"

namespace star::synthesis {

struct TaskOptions;
class TaskGenerator;

// What an option of a task sets; a flag is 0 or 1, or stands without a value.
struct TaskOption {
  std::string_view name;
  std::variant<int TaskOptions::*, double TaskOptions::*, bool TaskOptions::*> field;
};

// A row of the table in task_generators.cpp: of a task that is generated, or of a mixture of such.
struct TaskRow {
  const char* name;
  std::vector<TaskOption> options;          // as they are written, in this order
  void (*set_usual)(TaskOptions& options);  // where its defaults are not those of TaskOptions
  // Throws Error for options that are impossible together; V and L are positive.
  void (*check)(const TaskOptions& options) = nullptr;
  // The seed fixes what is common to all sequences.
  std::unique_ptr<TaskGenerator> (*make)(const TaskOptions& options, uint64_t seed) = nullptr;
  std::vector<const char*> parts = {};  // of a mixture, of whose options each takes what it has
  bool needs_decoder = false;           // as of Dataset

  static const std::vector<TaskRow>& rows();
  [[noreturn]] static void refuse(std::string_view name);
};

using Task = Named<TaskRow>;

struct TaskOptions {
  Task task = "recall";
  int vocab = 16;            // V
  int length = 128;          // L
  int noise_tokens = 0;      // noise: tokens that carry nothing
  double share = 0;          // share: probability that a pair of recall is noise
  int motif = 3;             // m: longest motif of fuzzy recall
  int content = 16;          // n: tokens to copy
  int pairs = 4;             // D: key-value pairs of mqar
  double power = 0.01;       // a: the smaller, the more the queries of mqar crowd at the start
  bool filler = false;       // noise of mqar: random tokens rather than 0 at unlabelled places
  bool sets_length = false;  // L was written, and is not the default
};

class TaskGenerator {
 public:
  explicit TaskGenerator(const TaskOptions& options) : o(options) {}
  virtual ~TaskGenerator() = default;

  // Fills one sequence of L tokens; the targets come in as ignored everywhere. What is drawn
  // depends on the options, the generator's seed and `rng` only.
  virtual void fill(bool training, Rng& rng, std::span<int32_t> tokens,
                    std::span<int32_t> targets) const = 0;

 protected:
  const TaskOptions o;
};

}  // namespace star::synthesis
