// Builds a genome, trains it on a task, and reads the T(x) of its first operator: who, of the tokens
// of one sequence, looks at whom, and how much.
#include <fmt/format.h>

#include "star/compiler.h"
#include "star/device.h"
#include "star/tasks.h"
#include "star/trainer.h"
#include "star/training_step.h"

using namespace star;
using namespace star::synthesis;

int main() {
  const Pool pool = extended_pool();
  const Genome genome = parse("11111-91111", pool);  // attention, then a gated linear unit
  const TaskData data(parse_task("copy:V=8,n=5,L=12"), 0);
  Exec exec(backend_named("cpu"), 2);
  const Sizes sizes = {.width = 32, .heads = 1, .vocab = data.vocab(), .seq = data.length()};
  Backbone model(&exec, compile(genome, pool), sizes);

  train(exec, model, data, {.steps = 400, .batch = 16, .learning_rate = 1e-2});
  fmt::print("accuracy {:.3f}\n", judge(exec, model, data, Split::validation).accuracy);

  Tape tape(exec, false);
  const Tensor tokens = tokens_of(exec, data.train_batch(1, 0, 1));
  const DenseCore matrix = model.materialize(tape, tokens, 0);
  for (int64_t i = 0; i < matrix.length; ++i, fmt::print("\n"))
    for (int64_t j = 0; j < matrix.length; ++j) fmt::print("{:6.2f}", matrix.at(0, i, j));
}
