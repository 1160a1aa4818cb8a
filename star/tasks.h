// Synthetic tasks, generated from (seed, split, index): in-context recall and its variants, copying,
// compressing and memorising as in the MAD suite (Poli et al., 2024), multi-query associative recall
// as in Zoology (Arora et al., 2023), and a mixture.
//
// A task is written `name` or `name:option=value,…`. A sequence always has L tokens; where the
// target is the next token, the last place has none and is ignored. What each task is stands beside
// its row in task_generators.cpp.
#pragma once

#include <string>
#include <string_view>

#include "star/data.h"
#include "star/task_generators.h"

namespace star::synthesis {

// The defaults of a task. Error: unknown name.
TaskOptions task_defaults(std::string_view name);

// Errors: an unknown task or option, a value that is no number, combinations that are impossible,
// such as more keys than the vocabulary has or more queries than the length has room for.
TaskOptions parse_task(std::string_view text);

// The text from which parse_task makes the same options, every one written out.
std::string task_text(const TaskOptions& options);

// Validation and test sequences are labelled as the task says for tests, training sequences as for
// training; sequence `index` of a split is the same whatever the batch it stands in. Of a mixture,
// sequence i is of part i mod the number of parts: equal parts in every batch whose size is a
// multiple of that.
// Sequences without end could be drawn: a split to judge by has 2048, and a sample, its first ones.
class TaskData : public Dataset {
 public:
  // `seed` fixes what is the same in every split: evaluation sequences and the map of memorize.
  // Errors: those of parse_task about impossible combinations.
  TaskData(const TaskOptions& options, uint64_t seed);
  ~TaskData() override;

  int vocab() const override { return options_.vocab; }
  int length() const override { return options_.length; }
  std::string identity() const override;
  std::vector<std::string> parts() const override { return names_; }
  bool is_generated() const override { return true; }
  bool needs_decoder() const override { return options_.task->needs_decoder; }
  Batch train_batch(uint64_t seed, int64_t step, int sequences) const override;
  std::vector<int64_t> sample(Split split, int64_t tokens) const override;
  Batch evaluation(Split split, std::span<const int64_t> numbers) const override;

 private:
  Batch draw(uint64_t seed, Split split, std::span<const int64_t> indices) const;

  TaskOptions options_;
  uint64_t seed_;
  // One for each part.
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<TaskGenerator>> generators_;
};

}  // namespace star::synthesis
