#include "liv/random_operator.h"

namespace star {

Tensor moved_parameter(Exec& exec, Rng& rng, const Tensor& start, const std::string& name,
                       bool decay) {
  std::vector<double> values = start.to_doubles();
  double gain = name == "embed.weight" ? 25 : name.ends_with("o.weight") ? 2 : 1;
  for (double& v : values) v = decay ? gain * v : v + 0.3 * rng.normal();
  return exec.from(start.shape(), values, start.dtype());
}

Tensor random_tensor(Exec& exec, Rng& rng, const Shape& shape, DType dtype, double deviation) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = deviation * rng.normal();
  return exec.from(shape, values, dtype);
}

RandomOperator::RandomOperator(Exec& exec, const LivClass& liv, const Sizes& sizes, DType dtype,
                               uint64_t seed)
    : op(liv, sizes), specs(op.parameters(1)) {
  for (auto& spec : specs) {
    Rng rng(seed, "random-operator", hash_text(spec.name));
    std::vector<double> start(size_t(spec.shape.numel()));
    spec.init(rng, start);
    Tensor fresh = exec.from(spec.shape, start, dtype);
    values.push_back(moved_parameter(exec, rng, fresh, spec.name, spec.decay));
  }
}

Weights RandomOperator::weights(Tape& tape) const {
  Weights w;
  for (size_t i = 0; i < specs.size(); ++i) w.bind(specs[i].name, tape.constant(values[i]));
  return w;
}

Tensor RandomOperator::apply(Exec& exec, const Tensor& x, State* state) const {
  Tape tape(exec, false);
  return op.apply(weights(tape), tape.constant(x), {}, state, nullptr).value();
}

Tensor tokens_between(Exec& exec, const Tensor& x, int64_t from, int64_t to) {
  return exec.contiguous(x.narrow(1, from, to - from));
}

}  // namespace star
