// Contraction of tensor networks (autograd/network.h). The result is one; the orders are many, and
// each is an algorithm:
//   pairs         dense factors only: batched matrix products in the cheapest order
//   diagonal      [i=j]: i and j are one index
//   scores        all pairs (i, j): T first, then T v; quadratic in the tokens
//   state         B with v first, carried along the tokens: the recurrence
//   chunks        scores inside a chunk, a state across chunks (Dao and Gu, 2024)
//   blocks        scores of a block with itself and the one before: for a band
//   convolution   B with v first, then the Toeplitz kernel, by tiles
//   transform     the same by fast Fourier transform
// and in one kernel each
//   gated product       a function of one factor times another
//   gated convolution   a short kernel with B, v and C in one pass
//   tiles               softmax attention, scores never stored whole (Dao et al., 2022)
//   state in chunks     the same as chunks
//   gated scan, selective scan   the same as state, with the decays made on the way
//   delta in chunks     a matrix state that is corrected (Yang et al., 2024)
// The planner tries those that fit on the shapes and takes the one that costs least on the backend
// (core/rates.h). A function of the entries needs scores. All are made of differentiable
// operations: the gradient of a contraction is found by the tape.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "autograd/tape.h"

namespace star {

class State;             // autograd/state.h
struct ContractionPlan;  // autograd/plan.h

// A network, read once. The order that it is contracted in is worked out at the first call with
// tensors of some shapes on some backend, and kept; later calls with the like only compute. One
// thread uses a Contraction at a time.
class Contraction {
 public:
  // Throws `Error` on a text that is no network.
  explicit Contraction(const std::string& network);
  ~Contraction();
  Contraction(Contraction&&) noexcept;

  const std::string& text() const;

  // The result. Throws `Error` on tensors that do not fit.
  Var operator()(std::span<const Var> tensors) const;
  Var operator()(std::initializer_list<Var> tensors) const {
    return (*this)(std::span(tensors.begin(), tensors.size()));
  }

  // The result for tokens that follow those that `state` has seen, without gradients to what came
  // before. An order that carries a state needs the tensors of the new tokens alone; an axis of
  // lags without a bound has one for each token so far. Elsewhere all j are given, and the new i.
  Var step(std::span<const Var> tensors, State& state) const;

  // By the order with this name, whatever it costs; `Error` if it is not among those that fit.
  Var by(const std::string& order, std::span<const Var> tensors) const;

  // What a call with tensors of these shapes does on a backend with these rates.
  ContractionPlan plan(std::span<const Shape> shapes, const Rates& rates) const;

  // The plans made by calls so far.
  int64_t plans() const;

 private:
  struct Prepared;
  std::unique_ptr<Prepared> prepared_;
};

}  // namespace star
