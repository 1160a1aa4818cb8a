// What all layers of an ONNX graph have in common: the tokens that go through it, where they stand
// and what they see, and the states of the layers before and after them.
//
// A model is two graphs. Prefill reads whole sequences: tokens [B, L]. A step reads one more token,
// tokens [B, 1], and the states that a graph of either kind has given: what leaves as "present.3.k"
// enters as "past.3.k". T are the tokens seen before a step. B, L and T, which are known at run time
// only, are called batch, length and past in the shapes of a graph.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "star/export/onnx_builder.h"

namespace star::synthesis::onnx {

enum class Reading { prefill, step };

struct AfterToken {
  Value state, y;
};
// One token of a recurrence: of the state before it, and what is given for it.
using Recurrence = std::function<AfterToken(const Value& state, const Values& token)>;

class Pass {
 public:
  // `builder` outlives the pass.
  Pass(Builder& builder, Reading reading);

  const Value& tokens() const { return tokens_; }
  bool step() const { return reading_ == Reading::step; }
  // Of the logits [B, L, V], or [B, 1, V].
  std::vector<Dim> logits_shape(int64_t vocab) const;

  // The positions of the tokens, [L] or [1], int64; from then on the position is a state.
  Value positions();
  // Cosines and sines of rotary angles at the positions, [L, e/2], for heads of width e.
  std::pair<Value, Value> rotation(int64_t e);

  // [L, L]: which tokens see which, those after them excepted, and those a window or more before.
  // In a step there is nothing to ask: all that is kept is seen. A window of 0 sees all.
  Value visible(int64_t window);
  // How many tokens each sees, as a float: [L, 1]; in a step, where keys [B, n, T, e] are all that
  // is seen, [1].
  Value seen(int64_t window, const Value& keys);

  // u behind what was seen of it along an axis. All of that is kept, or its last rows. `shape` is
  // that of u, in which the axis has any size.
  Value remember(const std::string& name, const Value& u, std::vector<Dim> shape, int axis,
                 int64_t rows = kAll);
  static constexpr int64_t kAll = -1;
  // Before the pass, a state of fixed size, zeros if nothing was seen; and what is kept after it.
  Value before(const std::string& name, const std::vector<Dim>& shape);
  void keep(const std::string& name, const Value& value, const std::vector<Dim>& shape);
  // What a step knows of the tokens before it.
  Value past(const std::string& name, const std::vector<Dim>& shape);

  // All y [B, L, ..] of a recurrence over sequences [B, L, ..] whose state begins at 0: a Scan along
  // the tokens, or in a step the one token without it. `state` and `y` are the shapes [B, ..] at one
  // token.
  Value recur(const std::string& name, const std::vector<Dim>& state, const std::vector<Dim>& y,
              const Values& sequences, const Recurrence& next);

  // The states leave the graph, in the order in which they were kept.
  void finish();

 private:
  struct Kept {
    Value value;
    ValueInfoProto info;
  };

  Builder& g_;
  const Reading reading_;
  Value tokens_, positions_;
  std::map<int64_t, Value> visible_, seen_;               // by window
  std::map<Ints, Value> zeros_;                           // by their shape behind B
  std::map<int64_t, std::pair<Value, Value>> rotations_;  // by e
  std::vector<Kept> kept_;
};

}  // namespace star::synthesis::onnx
