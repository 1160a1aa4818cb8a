#include "liv/random_operator.h"

namespace star::liv {

Tensor moved_parameter(Exec& exec, Rng& rng, const Tensor& start, bool decay, double gain) {
  std::vector<double> values = start.to_doubles();
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
    Rng rng(seed, "random-operator", hash_text(spec.name()));
    std::vector<double> start(size_t(spec.shape.numel()));
    spec.init(rng, start);
    Tensor fresh = exec.from(spec.shape, start, dtype);
    places.put(spec, int(values.size()));
    values.push_back(
        moved_parameter(exec, rng, fresh, spec.decay, spec.key.piece == Piece::o ? 2 : 1));
  }
}

std::vector<Var> RandomOperator::on(Tape& tape) const {
  std::vector<Var> vars;
  for (auto& value : values) vars.push_back(tape.constant(value));
  return vars;
}

Tensor RandomOperator::apply_as(const Operator& other, Exec& exec, const Tensor& x,
                                State* state) const {
  Tape tape(exec, false);
  const std::vector<Var> vars = on(tape);
  FeatureSet features;
  return other.apply(weights(vars), tape.constant(x), features, state).value();
}

Tensor RandomOperator::apply(Exec& exec, const Tensor& x, State* state) const {
  return apply_as(op, exec, x, state);
}

double RandomOperator::scale(Exec& exec, const Tensor& x) const {
  if (row_of(op.liv().op.entries()).normalises) return 0;
  LivClass plain = op.liv();
  plain.op.digits[3] = int(Entries::linear);
  const Tensor y = apply_as(Operator(plain, op.layout().sizes), exec, x, nullptr);
  double largest = 0;
  for (double each : y.to_doubles()) largest = std::max(largest, std::abs(each));
  return largest;
}

Tensor tokens_between(Exec& exec, const Tensor& x, int64_t from, int64_t to) {
  return exec.contiguous(x.narrow(1, from, to - from));
}

}  // namespace star::liv
