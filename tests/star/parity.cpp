// What steps of the delta rule beyond 1 are good for: a state that may change its sign keeps a
// parity, and one that can only shrink does not (Grazzi et al., "Unlocking state-tracking in linear
// RNNs through negative eigenvalues", 2024).
#include <doctest/doctest.h>

#include "cpu/cpu.h"
#include "star/compiler.h"
#include "star/genome.h"
#include "star/tasks.h"
#include "star/trainer.h"

namespace star::synthesis {
namespace {

struct Accuracies {
  double same, longer;  // at the length of the training, and at four times that
};

// Of one layer of Rec-6 whose write strength has this nonlinearity, after a short training.
Accuracies learnt(char strength) {
  Exec exec(cpu_backend());
  const Pool pool = extended_pool();
  const std::string genome = std::string("r1111|%e:21111,21118,21111,21114,4111b,3111") + strength;
  Backbone model(&exec, compile(parse(genome, pool), pool), {16, 2, 2, 16, 16}, DType::f32, 1);
  const TaskData data(parse_task("parity:L=16"), 1), longer(parse_task("parity:L=64"), 1);
  TrainOptions options;
  options.steps = 400;
  options.learning_rate = 1e-2;
  train(exec, model, data, options);
  const JudgeOptions sample{.tokens = 16384};
  return {judge(exec, model, data, Split::test, sample).accuracy,
          judge(exec, model, longer, Split::test, sample).accuracy};
}

}  // namespace

TEST_CASE("parity: is learnt where steps reach 2, and not where they end at 1") {
  const Accuracies twice = learnt('a'), once = learnt('9');
  CHECK(twice.same > 0.99);
  CHECK(twice.longer > 0.7);
  CHECK(once.same < 0.8);
  CHECK(once.longer < 0.6);
}

}  // namespace star::synthesis
