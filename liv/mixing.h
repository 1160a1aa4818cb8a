// Token mixing: the structure of T(x) along the tokens. One file a family: diagonal, attention
// (low-rank), toeplitz, recurrence (semi-separable). A family states the tensor network of T(x) v
// and what stands in it; how that is contracted, in training and token by token, is the planner's
// matter (autograd/contraction.h).
//
// A mixing knows nothing of the output gate z, of the D of a recurrence, nor of differential
// operators: it is given the features and weights of one part.
#pragma once

#include <memory>

#include "autograd/contraction.h"
#include "autograd/views.h"
#include "liv/featurizer.h"

namespace star {

// A dense T(x): [rows, L, L] in double precision, rows being heads or channels.
struct DenseCore {
  int64_t rows = 0, length = 0;
  std::vector<double> entries;
  double& at(int64_t r, int64_t i, int64_t j) {
    return entries[size_t((r * length + i) * length + j)];
  }
  double at(int64_t r, int64_t i, int64_t j) const {
    return entries[size_t((r * length + i) * length + j)];
  }
};

class TokenMixing {
 public:
  TokenMixing(const Layout& layout, const std::string& network)
      : layout_(layout), network_(network) {}
  virtual ~TokenMixing() = default;

  // T(x) v: [B, L, inner]. With a state, the features continue what it has seen. The network itself
  // is contracted, and nothing else.
  Var apply(const Features& f, const Weights& w, State* state) const {
    std::vector<Var> tensors = operands(f, w, state);
    return result(state ? network_.step(tensors, *state) : network_(tensors));
  }

  // The network of T(x) v, and its tensors; with a state as Contraction::step takes them.
  const Contraction& network() const { return network_; }
  virtual std::vector<Var> operands(const Features& f, const Weights& w, State* state) const = 0;
  // Their shapes for B sequences of L tokens.
  virtual std::vector<Shape> shapes(int64_t B, int64_t L) const = 0;
  // [B, L, inner] of what the network gives.
  virtual Var result(const Var& y) const {
    return reshape(y, {y.size(0), y.size(1), layout_.inner()});
  }

  // Parameters of the structure itself: A_log, the D of a long kernel. They are never shared.
  virtual std::vector<ParameterSpec> parameters() const { return {}; }

  // T(x) itself for one sequence, entry by entry from its definition.
  virtual DenseCore materialize(const Features& f, const Weights& w) const = 0;

  // Low-rank: the scores that T(x) is made of, of all pairs, before mask and nonlinearity.
  virtual DenseCore scores(const Features&) const { return {}; }

  // Floats that apply() keeps for decoding at context c (what features keep is counted there).
  virtual int64_t cache(int64_t context) const = 0;

  // Multiply-adds a token at training length L.
  virtual double work(int64_t length) const = 0;

 protected:
  const Layout layout_;

 private:
  const Contraction network_;
};

std::unique_ptr<TokenMixing> make_diagonal(const Layout& layout);
std::unique_ptr<TokenMixing> make_attention(const Layout& layout);
std::unique_ptr<TokenMixing> make_toeplitz(const Layout& layout);
std::unique_ptr<TokenMixing> make_recurrence(const Layout& layout);

// By the token-mixing digit of the class.
std::unique_ptr<TokenMixing> make_mixing(const Layout& layout);

// One feature of one sequence as doubles, [L][channels].
class FeatureRows {
 public:
  explicit FeatureRows(const Var& feature);
  double at(int64_t token, int64_t channel) const {
    return values_[size_t(token * channels_ + channel)];
  }
  int64_t length() const { return length_; }

 private:
  int64_t length_, channels_;
  std::vector<double> values_;
};

}  // namespace star
