#include "autograd/tape.h"

#include "autograd/values.h"

namespace star::autograd {
namespace {

constexpr size_t kChunkBytes = 1 << 16;

}  // namespace

void* Tape::take(size_t bytes, size_t alignment) {
  assert(bytes + alignment <= kChunkBytes);
  used_ = (used_ + alignment - 1) / alignment * alignment;
  if (chunks_.empty() || used_ + bytes > kChunkBytes) {
    if (!chunks_.empty()) ++chunk_;
    if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique<std::byte[]>(kChunkBytes));
    used_ = 0;
  }
  void* memory = chunks_[chunk_].get() + used_;
  used_ += bytes;
  return memory;
}

Var Tape::leaf(Tensor value) {
  if (!recording_) return constant(std::move(value));
  nodes_.push_back(Node{{}, {}, {nullptr, nullptr, nullptr}, Primitive::leaf});
  return Var(std::move(value), this, int(nodes_.size()) - 1);
}

Var Tape::parameter(Tensor value, Tensor grad) {
  Var v = leaf(std::move(value));
  if (v.needs_grad()) nodes_.back().bound = std::move(grad);
  return v;
}

Tensor Tape::target(const Var& v) const {
  if (!v.needs_grad()) return {};
  const Node& node = nodes_[size_t(v.id_)];
  if (node.bound.defined()) return node.bound;
  return node.grad.defined() && node.grad.unique() && node.grad.contiguous() ? node.grad : Tensor();
}

void Tape::add(const Var& v, const Tensor& g) {
  if (!v.needs_grad()) return;
  assert(g.shape() == v.shape());
  Node& node = nodes_[size_t(v.id_)];
  if (Tensor home = target(v); home.defined())
    exec_.copy(g, home, true);
  else
    node.grad = node.grad.defined() ? values::binary(exec_, Binary::add, node.grad, g) : g;
}

void Tape::backward(const Var& loss) {
  require(loss.needs_grad(), "backward: the loss depends on nothing that needs a gradient");
  require(loss.value().numel() == 1, "backward: the loss has shape {}", loss.shape());
  backward(loss, exec_.full(loss.shape(), loss.dtype(), 1));
}

void Tape::backward(const Var& y, const Tensor& slope) {
  assert(y.needs_grad() && slope.shape() == y.shape());
  nodes_[size_t(y.id_)].grad = slope;
  for (int i = y.id_; i >= 0; --i) {
    Node& node = nodes_[size_t(i)];
    if (node.grad.defined()) differentiated_.set(size_t(node.primitive));
    if (!node.closure.run) continue;
    Tensor dy = std::move(node.grad);
    if (dy.defined()) node.closure.run(node.closure.body, dy);
    node.closure.destroy(node.closure.body);
    node.closure.run = nullptr;
  }
}

Tensor Tape::grad(const Var& v) const {
  if (!v.needs_grad()) return {};
  const Node& node = nodes_[size_t(v.id_)];
  return node.bound.defined() ? node.bound : node.grad;
}

void Tape::clear() {
  for (auto& node : nodes_)
    if (node.closure.run) node.closure.destroy(node.closure.body);
  nodes_.clear();
  differentiated_.reset();
  chunk_ = used_ = 0;
}

}  // namespace star::autograd
