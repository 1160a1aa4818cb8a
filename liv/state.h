// What decoding keeps between tokens: named tensors, one set an operator. A tensor holds rows along
// axis 1, its tokens; `extend` appends to it.
#pragma once

#include <map>
#include <string>

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

  int64_t floats() const;  // held now

 private:
  struct Slot {
    Tensor buffer;  // of rows along axis 1 there may be more room than `length`
    int64_t length = 0;
  };
  std::map<std::string, Slot> slots_;
};

inline constexpr int64_t kAllRows = int64_t(1) << 60;

}  // namespace star
