#include "liv/state.h"

namespace star {

Tensor State::extend(Exec& exec, const std::string& name, const Tensor& rows, int64_t keep,
                     int64_t start) {
  Slot& slot = slots_[name];
  if (!slot.buffer.defined() && start > 0) {
    slot.buffer = exec.zeros(rows.shape().with(1, start), rows.dtype());
    slot.length = start;
  }
  int64_t n = rows.size(1), total = slot.length + n;
  if (!slot.buffer.defined() || slot.buffer.size(1) < total) {
    // Unbounded histories double, so that a token costs its own row; bounded ones never grow.
    int64_t room = keep == kAllRows && slot.length > 0 ? 2 * total : total;
    Tensor larger = exec.empty(rows.shape().with(1, room), rows.dtype());
    if (slot.length > 0)
      exec.copy(slot.buffer.narrow(1, 0, slot.length), larger.narrow(1, 0, slot.length));
    slot.buffer = larger;
  }
  exec.copy(rows, slot.buffer.narrow(1, slot.length, n));
  Tensor all = slot.buffer.narrow(1, 0, total);
  slot.length = total;
  if (total > keep) {
    Tensor kept = exec.empty(rows.shape().with(1, keep), rows.dtype());
    exec.copy(all.narrow(1, total - keep, keep), kept);
    slot.buffer = kept;
    slot.length = keep;
  }
  return all;
}

Tensor State::get(const std::string& name) const {
  auto at = slots_.find(name);
  return at == slots_.end() ? Tensor() : at->second.buffer;
}

void State::set(const std::string& name, const Tensor& value) {
  slots_[name] = {value, value.size(1)};
}

int64_t State::floats() const {
  int64_t total = 0;
  for (auto& [name, slot] : slots_) total += slot.buffer.narrow(1, 0, slot.length).numel();
  return total;
}

}  // namespace star
