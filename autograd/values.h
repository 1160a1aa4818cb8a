// Functions on plain tensors, without gradients: what the primitives and their gradients are
// written with. Inputs may have any strides; outputs are fresh and contiguous.
#pragma once

#include <string>

#include "core/exec.h"

namespace star::autograd::values {

Tensor unary(Exec& exec, Unary op, const Tensor& x);
// With broadcasting: shapes are aligned at their last axes, and an axis of size 1 stretches.
Tensor binary(Exec& exec, Binary op, const Tensor& a, const Tensor& b);
Tensor scale(Exec& exec, const Tensor& x, double factor, double shift = 0);
// Sums over the axes given; they stay with size 1 where `keep`.
Tensor sum(Exec& exec, const Tensor& x, std::span<const int> axes, bool keep);
// Undoes broadcasting: sums x over the axes along which `shape` was stretched to x's shape.
Tensor sum_to(Exec& exec, const Tensor& x, const Shape& shape);
// The shape that two shapes broadcast to; throws `Error` if they do not fit.
Shape broadcast(const Shape& a, const Shape& b);

// out[lo] = Σ a[la] b[lb], one letter an axis. Every letter of la or lb is in lo or in both la and
// lb, and none stands twice in one operand. Lowered to one batched GEMM, or to a product with
// broadcasting where nothing is summed.
Tensor contract(Exec& exec, const Tensor& a, const std::string& la, const Tensor& b,
                const std::string& lb, const std::string& lo);
// The same, added to the contiguous tensor `out`.
void contract_add(Exec& exec, const Tensor& a, const std::string& la, const Tensor& b,
                  const std::string& lb, const std::string& lo, const Tensor& out);

}  // namespace star::autograd::values
