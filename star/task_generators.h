// How the sequences of a task come about: what a row of the table of tasks makes (star/tasks.h).
#pragma once

#include <memory>
#include <span>

#include "core/rng.h"
#include "star/tasks.h"

namespace star {

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

}  // namespace star
