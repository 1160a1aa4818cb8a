#include "autograd/state.h"

#include <algorithm>

namespace star::autograd {

// Unbounded histories double, so that a token costs its own row; bounded ones never grow.
void State::Slot::append(Exec& exec, const Tensor& more, bool doubling) {
  const int64_t n = more.size(1), total = length + n;
  if (!buffer.defined() || buffer.size(1) < total) {
    int64_t room = doubling && length > 0 ? 2 * total : total;
    Tensor larger = exec.empty(more.shape().with(1, room), more.dtype());
    if (length > 0) exec.copy(rows(), larger.narrow(1, 0, length));
    buffer = larger;
  }
  exec.copy(more, buffer.narrow(1, length, n));
  length = total;
}

Tensor State::extend(Exec& exec, int what, const Tensor& rows, int64_t keep, int64_t start) {
  Slot& slot = slots_[what];
  if (!slot.buffer.defined() && start > 0)
    slot = {exec.zeros(rows.shape().with(1, start), rows.dtype()), start};
  slot.append(exec, rows, keep == kAllRows);
  Tensor all = slot.rows();
  if (slot.length > keep) {
    Tensor kept = exec.empty(rows.shape().with(1, keep), rows.dtype());
    exec.copy(all.narrow(1, slot.length - keep, keep), kept);
    slot = {kept, keep};
  }
  return all;
}

Tensor State::memo(Exec& exec, int64_t n, const MakeRows& make) {
  if (memo_.length < n) memo_.append(exec, make(memo_.length, n - memo_.length), true);
  return memo_.buffer.narrow(1, 0, n);
}

Tensor State::get(int what) const {
  auto at = slots_.find(what);
  return at == slots_.end() ? Tensor() : at->second.buffer;
}

void State::set(int what, const Tensor& value) { slots_[what] = {value, value.size(1)}; }

State& State::part(int part) {
  parts_.resize(std::max(parts_.size(), size_t(part) + 1));
  return parts_[size_t(part)];
}

State State::of(Exec& exec, std::span<const int64_t> sequences) const {
  State some = *this;
  for (auto& [what, slot] : some.slots_) {
    const Tensor all = slot.buffer;
    slot.buffer = exec.empty(all.shape().with(0, int64_t(sequences.size())), all.dtype());
    for (size_t i = 0; i < sequences.size(); ++i)
      exec.copy(all.narrow(0, sequences[i], 1), slot.buffer.narrow(0, int64_t(i), 1));
  }
  for (State& part : some.parts_) part = part.of(exec, sequences);
  return some;
}

int64_t State::floats() const {
  int64_t total = 0;
  for (const State& part : parts_) total += part.floats();
  for (auto& [what, slot] : slots_) total += slot.rows().numel();
  return total;
}

}  // namespace star::autograd
