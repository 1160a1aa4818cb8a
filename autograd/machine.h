// The operations that contraction orders are made of. A machine knows shapes alone: it notes what
// each operation costs and how it is computed, in a program (autograd/program.h). So an order is
// written once, and what it costs and what it computes cannot disagree.
#pragma once

#include "autograd/network.h"
#include "autograd/pair_order.h"
#include "autograd/program.h"
#include "autograd/sequence.h"

namespace star {

// A value of a program with its letters. A band has no value until something needs one.
struct Operand {
  std::string letters;
  Shape shape;
  int value = -1;
  bool is_band = false;
  int64_t window = Node::kCausal;

  bool has(char c) const { return letters.find(c) != std::string::npos; }
  int axis(char c) const {
    size_t at = letters.find(c);
    require(at != letters.npos, "contract: no '{}' in {}", c, letters);
    return int(at);
  }
  int64_t size(char c) const { return shape[axis(c)]; }
  double volume() const;
};

// The letters a and, in its place, b.
std::string renamed(std::string letters, char a, char b);

// The pair (i, j) is that of the network.
class Machine {
 public:
  // Steps that nobody reads are not put into words: not `told`.
  Machine(const Network& network, const Rates& backend, bool told)
      : program_(network.tensors),
        rates_(backend),
        told_(told),
        read_(network.read),
        write_(network.write) {}

  const Rates& rates() const { return rates_; }
  Program program() && { return std::move(program_); }

  // A value by whatever computes it from others, and, as a step of its own, what it costs: `read`
  // numbers beside those of `x`, and `flops`.
  Operand computed(Operand x, const std::vector<Operand>& of, Program::Compute compute);
  template <class... Args>
  void note(const Operand& x, double read, double flops, fmt::format_string<Args...> what,
            Args&&... args) {
    tell({flops, 4 * (read + x.volume()), 4 * x.volume(), 1}, what, std::forward<Args>(args)...);
  }

  // The product of the factors with the letters of `result` left, in the cheapest order of pairs.
  Operand contract(std::vector<Operand> factors, const std::string& result);
  Operand constant(const std::string& letters, const Shape& shape, double value);
  Operand scaled(const Operand& x, double factor);
  Operand sum(const Operand& a, const Operand& b);  // b in any order of the letters of a

  // A function of each entry; the softmax of factor · x [.., i, j] over the keys in the band.
  Operand mapped(const Operand& x, Unary function);
  Operand softmax(const Operand& x, double factor, const Operand* band);

  // Structure as a tensor, [.., i, j]; the transitions of delta are matrices, [.., i, j, n, m].
  Operand band_matrix(const Operand& band);
  Operand decay_matrix(const Operand& decays);
  Operand toeplitz_matrix(const Operand& kernel, int64_t rows, int64_t columns);
  Operand delta_matrix(const Operand& key, const Operand& strength, const Operand& decay,
                       const std::string& letters);

  // Along a letter: h_t = a_t h_{t−1} + u_t, with a_t = 1 where there are no decays; the causal
  // convolution with a kernel. Letters that u lacks are added to it.
  Operand scanned(const std::vector<Operand>& decays, const Operand& u, char along);
  Operand convolved(const Operand& kernel, const Operand& u, char along, ConvMethod method);
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
  template <class... Args>
  void tell(Cost cost, fmt::format_string<Args...> what, Args&&... args) {
    program_.tell({told_ ? fmt::format(what, std::forward<Args>(args)...) : "", cost});
  }
  Operand product(const Operand& a, const Operand& b, const std::string& letters);
  Operand visible(const Operand& x, const Operand& band);
  Operand summed(const Operand& x, const std::string& kept);
  Operand ordered(const Operand& x, const std::string& letters);
  Operand stretched(const Operand& x, const std::string& letters, const Extents& extents);

  Program program_;
  const Rates& rates_;
  bool told_;
  char read_, write_;
};

// [before the axis, axis, behind it].
Shape three_axes(const Operand& x, char letter);
Extents extents_of(const std::vector<Operand>& operands);
Shape shape_of(const std::string& letters, const Extents& extents);

}  // namespace star
