// The parameters of an operator: what they are and are called, how big they are, how they start.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "autograd/tape.h"
#include "core/rng.h"
#include "liv/role.h"

namespace star::liv {

// Fills a fresh parameter.
using Initializer = std::function<void(Rng&, std::span<double>)>;

namespace init {
Initializer constant(double value);
Initializer normal(double deviation);
Initializer linear(int64_t fan_in);     // N(0, 1/(3·fan_in))
Initializer current_tap(int64_t taps);  // [channels, taps]: a convolution that passes its input
// b such that softplus(b), respectively σ(b), is log-uniform, respectively uniform, in [lo, hi].
Initializer softplus_log_uniform(double lo, double hi);
Initializer sigmoid_uniform(double lo, double hi);
// b such that 1 − σ(b)^(1/16) is log-uniform in [lo, hi].
Initializer sigmoid_root_log_uniform(double lo, double hi);
}  // namespace init

// X(word, its text behind that of the role). Of a feature group: W and b of x Wᵀ + b, or of low
// rank, x W_aᵀ W_bᵀ + b; the short convolution; the weight of a norm; an explicit kernel; the network
// of an implicit filter. Of the structure, which belongs to no group: the decay rates, the shortcut past T, λ of
// T₀ − λT₁, the output projection.
#define STAR_PIECES(X)     \
  X(weight, ".weight")     \
  X(bias, ".bias")         \
  X(a_weight, "_a.weight") \
  X(b_weight, "_b.weight") \
  X(b_bias, "_b.bias")     \
  X(conv, ".conv")         \
  X(norm, ".norm")         \
  X(taps, "")              \
  X(w1, ".w1")             \
  X(b1, ".b1")             \
  X(w2, ".w2")             \
  X(decay, ".decay")       \
  X(A_log, "A_log")        \
  X(D, "D")                \
  X(lambda, "lambda")      \
  X(o, "o.weight")

enum class Piece {
#define STAR_PIECE(word, text) word,
  STAR_PIECES(STAR_PIECE)
#undef STAR_PIECE
};
inline constexpr size_t kPieces = 0
#define STAR_PIECE(word, text) +1
    STAR_PIECES(STAR_PIECE)
#undef STAR_PIECE
    ;

// Of a differential operator, T₀ and T₁; another has the first alone.
inline constexpr int kParts = 2;

// The root of a sigmoid that a decay may be: it stays near 1 over a wide range of logits.
inline constexpr double kSigmoidRoot = 16;

// Which parameter of an operator, or of one part of it.
struct ParameterKey {
  ParameterKey(Piece p) : piece(p) {}  // of the structure
  ParameterKey(Role r, Piece p) : role(r), piece(p) {}
  std::optional<Role> role;  // of the feature group that owns it, which sharing follows
  Piece piece;
};

struct ParameterSpec {
  ParameterKey key;
  Shape shape;
  bool decay;  // weight decay: linear maps only
  Initializer init;
  std::optional<int> part = {};  // of a differential operator, where each part has its own

  // As checkpoints call it: "q.weight", "A_log", "1.q.weight".
  std::string name() const;
};

// Where in a list the parameters of one operator stand. What the parts share is there for each.
class Places {
 public:
  Places();
  void put(const ParameterSpec& spec, int place);
  // Throws `Error` where it is not in the list.
  size_t of(const ParameterKey& key, int part) const {
    const int place = places_[size_t(part)][slot(key)];
    if (place < 0) missing(key);
    return size_t(place);
  }

 private:
  static size_t slot(const ParameterKey& key) {
    return (key.role ? size_t(*key.role) + 1 : 0) * kPieces + size_t(key.piece);
  }
  [[noreturn]] static void missing(const ParameterKey& key);

  std::array<std::array<int, (kRoles.size() + 1) * kPieces>, kParts> places_;
};

// A view of the parameters of one operator, as one part sees them: its own, and those that exist
// once. List and places outlive it.
class Weights {
 public:
  Weights(std::span<const Var> list, const Places& places, int part = 0)
      : list_(list), places_(&places), part_(part) {}
  Weights part(int part) const { return {list_, *places_, part}; }
  const Var& operator[](const ParameterKey& key) const { return list_[places_->of(key, part_)]; }

 private:
  std::span<const Var> list_;
  const Places* places_;
  int part_;
};

}  // namespace star::liv
