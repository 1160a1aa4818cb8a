// Reverse-mode differentiation. A tape records the primitives in the order in which they run; going
// back over it, each adds its share to the gradients of its inputs (Griewank and Walther,
// "Evaluating derivatives", 2008).
//
// A tape that does not record runs the same functions without gradients, for evaluation and
// decoding. One thread uses a tape.
#pragma once

#include <bitset>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "core/exec.h"

namespace star::autograd {

class Tape;

enum class Primitive {
#define PRIMITIVE(name) name,
#include "autograd/primitives.def"
#undef PRIMITIVE
};
inline constexpr size_t kPrimitives = 0
#define PRIMITIVE(name) +1
#include "autograd/primitives.def"
#undef PRIMITIVE
    ;

// A value on a tape. Cheap to copy; valid until the tape is cleared.
class Var {
 public:
  Var() = default;
  bool defined() const { return tape_ != nullptr; }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  int64_t size(int axis) const { return value_.size(axis); }
  DType dtype() const { return value_.dtype(); }
  Tape& tape() const { return *tape_; }
  Exec& exec() const;
  bool needs_grad() const { return id_ >= 0; }

 private:
  friend class Tape;
  Var(Tensor value, Tape* tape, int id) : value_(std::move(value)), tape_(tape), id_(id) {}
  Tensor value_;
  Tape* tape_ = nullptr;
  int id_ = -1;
};

class Tape {
 public:
  explicit Tape(Exec& exec, bool recording = true) : exec_(exec), recording_(recording) {}
  ~Tape() { clear(); }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Exec& exec() const { return exec_; }
  bool recording() const { return recording_; }

  Var constant(Tensor value) { return Var(std::move(value), this, -1); }
  // An input whose gradient is wanted: read it with grad() after backward().
  Var leaf(Tensor value);
  // The same, with the gradient added to `grad`, which must be contiguous and of the same shape.
  Var parameter(Tensor value, Tensor grad);

  // Registers `value` as computed from `inputs`. `backward(dy)` adds to their gradients with add()
  // and is dropped if none of them needs one.
  template <class F>
  Var record(Primitive primitive, Tensor value, std::span<const Var> inputs, F backward) {
    if (!recording_) return constant(std::move(value));
    bool needed = false;
    for (const Var& v : inputs) needed |= v.needs_grad();
    if (!needed) return constant(std::move(value));
    nodes_.push_back(Node{{}, {}, make_closure(std::move(backward)), primitive});
    return Var(std::move(value), this, int(nodes_.size()) - 1);
  }
  template <class F>
  Var record(Primitive primitive, Tensor value, std::initializer_list<Var> inputs, F backward) {
    return record(primitive, std::move(value), std::span(inputs.begin(), inputs.size()),
                  std::move(backward));
  }

  // Adds g, of v's shape and any strides, to the gradient of v.
  void add(const Var& v, const Tensor& g);
  // Where a gradient of v can be added in place: a parameter's home, or what has been collected so
  // far if nothing else refers to it. Undefined otherwise. Contiguous.
  Tensor target(const Var& v) const;

  // Fills the gradients of everything that `loss` (one element) was computed from. The tape is
  // used up: what was recorded is released as it is passed.
  void backward(const Var& loss);
  // The same from any value, with `dy` its gradient.
  void backward(const Var& y, const Tensor& dy);
  // The primitives whose gradients backward() has run, by their places in primitives.def.
  const std::bitset<kPrimitives>& differentiated() const { return differentiated_; }
  // The gradient of a leaf after backward(); undefined if the loss does not depend on it.
  Tensor grad(const Var& v) const;

  // Forgets everything; the memory of the tape itself is kept for the next step.
  void clear();

 private:
  // A backward function in the tape's own memory.
  struct Closure {
    void (*run)(void*, const Tensor&);
    void (*destroy)(void*);
    void* body;
  };
  struct Node {
    Tensor grad;
    Tensor bound;  // parameters: the gradient's home
    Closure closure;
    Primitive primitive;
  };

  template <class F>
  Closure make_closure(F f) {
    void* memory = take(sizeof(F), alignof(F));
    new (memory) F(std::move(f));
    return {[](void* p, const Tensor& dy) { (*static_cast<F*>(p))(dy); },
            [](void* p) { static_cast<F*>(p)->~F(); }, memory};
  }
  void* take(size_t bytes, size_t alignment);

  Exec& exec_;
  bool recording_;
  std::vector<Node> nodes_;
  std::bitset<kPrimitives> differentiated_;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  size_t chunk_ = 0, used_ = 0;
};

inline Exec& Var::exec() const { return tape_->exec(); }

}  // namespace star::autograd
