// What decoding keeps between tokens: named tensors, one set an operator. A tensor holds rows along
// axis 1, its tokens; `extend` appends to it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "autograd/tape.h"

namespace star {

class State {
 public:
  int64_t position = 0;  // tokens seen

  // Appends `rows` [B, n, …] to what is kept under `name` and returns all of it, [B, kept + n, …];
  // afterwards the last `keep` rows stay. Where nothing is kept yet, `start` rows of zeros stand
  // before.
  Tensor extend(Exec& exec, const std::string& name, const Tensor& rows, int64_t keep,
                int64_t start = 0);

  // A tensor of fixed size; undefined until set.
  Tensor get(const std::string& name) const;
  void set(const std::string& name, const Tensor& value);

  // Rows that follow from the weights alone, [1, n, …]: `make(first, count)` makes those that were
  // not asked for before. They save time and are no part of the state.
  using MakeRows = std::function<Tensor(int64_t first, int64_t count)>;
  Tensor memo(Exec& exec, const std::string& name, int64_t n, const MakeRows& make);

  // What one part of a differential operator keeps beside what is kept once.
  State& part(int part);

  int64_t floats() const;  // held now, memos aside

 private:
  struct Slot {
    Tensor buffer;  // of rows along axis 1 there may be more room than `length`
    int64_t length = 0;

    void append(Exec& exec, const Tensor& rows, bool doubling);
    Tensor rows() const { return buffer.narrow(1, 0, length); }
  };
  std::map<std::string, Slot> slots_, memos_;
  std::vector<State> parts_;
};

inline constexpr int64_t kAllRows = int64_t(1) << 60;

}  // namespace star
