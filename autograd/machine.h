// The operations that contraction orders are made of. A machine counts what each of them costs, and
// with a tape it computes them too. So an order is written once: run on shapes it yields its cost,
// run on tensors its value, and the two cannot disagree.
#pragma once

#include "autograd/network.h"
#include "autograd/pair_order.h"
#include "autograd/sequence.h"

namespace star {

// A tensor with its letters, or only its shape. A band has no tensor until something needs one.
struct Operand {
  std::string letters;
  Shape shape;
  Var var = {};
  bool is_band = false;
  int64_t window = Node::kCausal;

  bool has(char c) const { return letters.find(c) != std::string::npos; }
  int axis(char c) const {
    size_t at = letters.find(c);
    require(at != letters.npos, "contract: no '{}' in {}", c, letters);
    return int(at);
  }
  int64_t size(char c) const { return shape[axis(c)]; }
  double volume() const { return double(shape.numel()); }
};

// The pair (i, j) is that of the network.
class Machine {
 public:
  // Without a tape it only counts.
  Machine(Tape* tape, DType dtype, const Network& network)
      : tape_(tape), dtype_(dtype), read_(network.read), write_(network.write) {}

  struct Step {
    std::string what;  // "bihn,bjhn->bhij"
    Cost cost;
  };
  const std::vector<Step>& steps() const { return steps_; }

  // The product of the factors with the letters of `result` left, in the cheapest order of pairs.
  Operand contract(std::vector<Operand> factors, const std::string& result);
  Operand constant(const std::string& letters, const Shape& shape, double value);
  Operand scaled(const Operand& x, double factor);
  Operand sum(const Operand& a, const Operand& b);  // b in any order of the letters of a

  // Functions of the entries [.., i, j]; the softmax of factor · x over the keys in the band.
  Operand mapped(const Operand& x, Unary function);
  Operand softmax(const Operand& x, double factor, const Operand* band);

  // What reads, what writes and the value in one step each, for factors that lie as
  //   query lead i heads group inner, key lead j heads inner, value lead j heads value:
  // the softmax of factor · query·key over the keys in the band with its product with `value`, and
  // factor · query·key·value with the state that it is when j ≤ i, decays [lead . heads] and
  // strengths [lead j heads], if any.
  struct Heads {
    Operand query, key, value;
    std::string lead, heads, group, inner, rest;  // rest: the letters of value alone
    double factor = 1;
    std::string result(char i) const { return lead + i + heads + group + rest; }
  };
  Operand attended(const Heads& x, const Operand& band);
  Operand remembered(const Heads& x, const Operand* decay, const Operand* strength);

  // Structure as a tensor, [.., i, j].
  Operand band_matrix(const Operand& band);
  Operand decay_matrix(const Operand& decays);
  Operand toeplitz_matrix(const Operand& kernel, int64_t rows, int64_t columns);

  // Along a letter: h_t = a_t h_{t−1} + u_t, with a_t = 1 where there are no decays; the causal
  // convolution with a kernel. Letters that u lacks are added to it.
  Operand scanned(const std::vector<Operand>& decays, const Operand& u, char along);
  Operand convolved(const Operand& kernel, const Operand& u, char along, ConvMethod method);
  // read · conv(write · value, kernel), all with the letters of `read`, i and j being one.
  Operand gated_convolved(const Operand& read, const Operand& kernel, const Operand& write,
                          const Operand& value);
  // The products of decays from the start of the axis to t, and from behind t to its end.
  Operand from_start(const Operand& decays);
  Operand to_end(const Operand& decays);

  // Axes: cut out a range; cut into chunks, [.., chunk, letter, ..], with zeros at the end; undo
  // that; join two along a letter; move by one along a letter, 0 first.
  Operand narrowed(const Operand& x, char letter, int64_t start, int64_t length);
  Operand split(const Operand& x, char letter, char chunk, int64_t size);
  Operand merged(const Operand& x, char chunk, char letter, int64_t length);
  Operand joined(const Operand& a, const Operand& b, char letter);
  Operand delayed(const Operand& x, char letter);

 private:
  Operand product(const Operand& a, const Operand& b, const std::string& letters);
  Operand visible(const Operand& x, const Operand& band);
  Operand summed(const Operand& x, const std::string& kept);
  Operand ordered(const Operand& x, const std::string& letters);
  Operand stretched(const Operand& x, const std::string& letters, const Extents& extents);
  // [before the axis, axis, behind it].
  Shape three_axes(const Operand& x, char letter) const;
  // Notes a step that makes `x` from `read` numbers with `flops`.
  void note(const Operand& x, double read, double flops, std::string what);

  Tape* tape_;
  DType dtype_;
  char read_, write_;
  std::vector<Step> steps_;
};

}  // namespace star
