// A tensor: a strided view of reference-counted memory. Copying a tensor copies the view.
// Strides count elements and may be 0 (broadcast) or negative (flipped).
#pragma once

#include <span>
#include <vector>

#include "core/arena.h"
#include "core/shape.h"

namespace star {

enum class DType : uint8_t { f32, f64, i32, i8 };

template <class T>
struct DTypeOf;  // of no other type
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::i8;
};
template <class T>
constexpr DType dtype_of = DTypeOf<std::remove_const_t<T>>::value;

size_t dtype_bytes(DType t);
const char* dtype_name(DType t);

class Tensor {
 public:
  Tensor() = default;
  // A fresh contiguous tensor; contents undefined.
  Tensor(Arena& arena, Shape shape, DType dtype);
  Tensor(const Tensor& o);
  Tensor(Tensor&& o) noexcept;
  Tensor& operator=(Tensor o) noexcept;
  ~Tensor();

  bool defined() const { return storage_ != nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  int64_t size(int axis) const { return shape_[axis < 0 ? axis + rank() : axis]; }
  int64_t stride(int axis) const { return strides_[axis < 0 ? axis + rank() : axis]; }
  int64_t numel() const { return shape_.numel(); }
  bool contiguous() const;
  // True when no other tensor sees this memory.
  bool unique() const { return storage_ && storage_->references == 1; }

  template <class T>
  T* data() const {
    assert(storage_ && dtype_ == dtype_of<T>);
    return static_cast<T*>(storage_->data) + offset_;
  }

  // Views. Each throws `Error` on an axis, size or range that does not fit.
  Tensor reshape(Shape shape) const;  // contiguous tensors only
  Tensor permute(std::initializer_list<int> order) const;
  Tensor permute(std::span<const int> order) const;
  Tensor narrow(int axis, int64_t start, int64_t length) const;
  Tensor select(int axis, int64_t index) const;  // drops the axis
  Tensor unsqueeze(int axis) const;              // a new axis of size 1
  Tensor expand(Shape shape) const;              // axes of size 1 to any size
  Tensor flip(int axis) const;

  // Host access for files and tests, for any strides.
  std::vector<double> to_doubles() const;
  double item() const;  // the only element
  // Overwrites a contiguous tensor with as many values as it has elements, of its type.
  template <class T>
  void assign(const std::vector<T>& values) const {
    assign(std::span<const T>(values));
  }
  template <class T>
  void assign(std::span<const T> values) const;

  // The memory that kernels see; null: the host's own.
  const DeviceMemory* device() const { return storage_->arena->device(); }

 private:
  Storage* storage_ = nullptr;
  int64_t offset_ = 0;
  Shape shape_, strides_;
  DType dtype_ = DType::f32;
};

// The elements of a contiguous tensor for the host to read: the tensor's own memory where that is
// the host's, else a copy of it as it is now.
template <class T>
class HostView {
 public:
  explicit HostView(const Tensor& t);
  const T* data() const { return data_; }
  T operator[](int64_t i) const { return data_[i]; }

 private:
  Tensor tensor_;  // keeps the memory
  std::vector<T> copy_;
  const T* data_;
};

// Row-major strides of a contiguous tensor.
Shape contiguous_strides(const Shape& shape);

// Calls `f.template operator()<T>()` with the type behind a floating dtype.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::i32:
    case DType::i8:
      break;
  }
  fail("tensor: {} is no floating type", dtype_name(dtype));
}

// Calls `f(index, offset)` for every element of a strided view, in row-major order.
template <class F>
void for_each_offset(const Shape& shape, const Shape& strides, F&& f) {
  int64_t n = shape.numel(), offset = 0;
  Shape at;
  for (int i = 0; i < shape.rank(); ++i) at.push_back(0);
  for (int64_t index = 0; index < n; ++index) {
    f(index, offset);
    for (int i = shape.rank() - 1; i >= 0; --i) {
      offset += strides[i];
      if (++at[i] < shape[i]) break;
      offset -= strides[i] * shape[i];
      at[i] = 0;
    }
  }
}

}  // namespace star
