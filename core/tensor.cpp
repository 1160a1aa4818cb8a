#include "core/tensor.h"

namespace star {

const char* dtype_name(DType t) {
  switch (t) {
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
    case DType::i32:
      return "int32";
    case DType::i8:
      return "int8";
  }
  fail("tensor: no type {}", int(t));
}

size_t dtype_bytes(DType t) {
  switch (t) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f64:
      return 8;
    case DType::i8:
      return 1;
  }
  fail("tensor: no type {}", int(t));
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

namespace {

size_t bytes_of(const Shape& shape, DType dtype) {
  size_t bytes = dtype_bytes(dtype);
  for (int64_t d : shape)
    require(d >= 0 && !__builtin_mul_overflow(bytes, size_t(d), &bytes) && bytes <= PTRDIFF_MAX,
            "tensor: no memory holds the shape {}", shape);
  return bytes;
}

}  // namespace

Tensor::Tensor(Arena& arena, Shape shape, DType dtype)
    : storage_(arena.allocate(bytes_of(shape, dtype))),
      shape_(shape),
      strides_(contiguous_strides(shape)),
      dtype_(dtype) {}

Tensor::Tensor(const Tensor& o)
    : storage_(o.storage_),
      offset_(o.offset_),
      shape_(o.shape_),
      strides_(o.strides_),
      dtype_(o.dtype_) {
  if (storage_) ++storage_->references;
}

Tensor::Tensor(Tensor&& o) noexcept
    : storage_(o.storage_),
      offset_(o.offset_),
      shape_(o.shape_),
      strides_(o.strides_),
      dtype_(o.dtype_) {
  o.storage_ = nullptr;
}

Tensor& Tensor::operator=(Tensor o) noexcept {
  std::swap(storage_, o.storage_);
  offset_ = o.offset_;
  shape_ = o.shape_;
  strides_ = o.strides_;
  dtype_ = o.dtype_;
  return *this;
}

Tensor::~Tensor() {
  if (storage_ && --storage_->references == 0) storage_->arena->release(storage_);
}

bool Tensor::contiguous() const {
  int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= shape_[i];
  }
  return true;
}

Tensor Tensor::reshape(Shape shape) const {
  require(contiguous(), "reshape: a view of shape {} is not contiguous", shape_);
  require(shape.numel() == numel(), "reshape: {} does not fit {}", shape_, shape);
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = contiguous_strides(shape);
  return t;
}

Tensor Tensor::permute(std::initializer_list<int> order) const {
  return permute(std::span<const int>(order.begin(), order.size()));
}

Tensor Tensor::permute(std::span<const int> order) const {
  require(int(order.size()) == rank(), "permute: {} axes for shape {}", order.size(), shape_);
  Tensor t = *this;
  unsigned seen = 0;
  for (int i = 0; i < rank(); ++i) {
    int axis = order[size_t(i)];
    require(axis >= 0 && axis < rank() && !(seen >> axis & 1), "permute: bad axis {} for {}", axis,
            shape_);
    seen |= 1u << axis;
    t.shape_[i] = shape_[axis];
    t.strides_[i] = strides_[axis];
  }
  return t;
}

Tensor Tensor::narrow(int axis, int64_t start, int64_t length) const {
  if (axis < 0) axis += rank();
  require(axis >= 0 && axis < rank() && start >= 0 && length >= 0 && start + length <= shape_[axis],
          "narrow: {}…{} of axis {} of {}", start, start + length, axis, shape_);
  Tensor t = *this;
  t.shape_[axis] = length;
  t.offset_ += start * strides_[axis];
  return t;
}

Tensor Tensor::select(int axis, int64_t index) const {
  if (axis < 0) axis += rank();
  Tensor t = narrow(axis, index, 1);
  Shape shape, strides;
  for (int i = 0; i < rank(); ++i) {
    if (i == axis) continue;
    shape.push_back(shape_[i]);
    strides.push_back(strides_[i]);
  }
  t.shape_ = shape;
  t.strides_ = strides;
  return t;
}

Tensor Tensor::unsqueeze(int axis) const {
  if (axis < 0) axis += rank() + 1;
  require(axis >= 0 && axis <= rank(), "unsqueeze: axis {} of {}", axis, shape_);
  Tensor t = *this;
  t.shape_ = t.strides_ = Shape();
  for (int i = 0; i <= rank(); ++i) {
    if (i == axis) {
      t.shape_.push_back(1);
      t.strides_.push_back(i < rank() ? shape_[i] * strides_[i] : 1);
    }
    if (i == rank()) break;
    t.shape_.push_back(shape_[i]);
    t.strides_.push_back(strides_[i]);
  }
  return t;
}

Tensor Tensor::expand(Shape shape) const {
  require(shape.rank() == rank(), "expand: {} to {}", shape_, shape);
  Tensor t = *this;
  for (int i = 0; i < rank(); ++i) {
    if (shape_[i] == shape[i]) continue;
    require(shape_[i] == 1, "expand: {} to {}", shape_, shape);
    t.strides_[i] = 0;
  }
  t.shape_ = shape;
  return t;
}

Tensor Tensor::flip(int axis) const {
  if (axis < 0) axis += rank();
  require(axis >= 0 && axis < rank(), "flip: axis {} of {}", axis, shape_);
  Tensor t = *this;
  t.offset_ += (shape_[axis] - 1) * strides_[axis];
  t.strides_[axis] = -strides_[axis];
  return t;
}

template <class T>
void Tensor::assign(std::span<const T> values) const {
  require(contiguous() && int64_t(values.size()) == numel(), "assign: {} values for shape {}",
          values.size(), shape_);
  if (device())
    device()->write(data<T>(), values.data(), values.size_bytes());
  else
    std::copy(values.begin(), values.end(), data<T>());
}
template void Tensor::assign(std::span<const float>) const;
template void Tensor::assign(std::span<const double>) const;
template void Tensor::assign(std::span<const int32_t>) const;
template void Tensor::assign(std::span<const int8_t>) const;

template <class T>
HostView<T>::HostView(const Tensor& t) : tensor_(t), data_(t.data<T>()) {
  assert(t.contiguous());
  if (!t.device()) return;
  copy_.resize(size_t(t.numel()));
  t.device()->read(copy_.data(), data_, copy_.size() * sizeof(T));
  data_ = copy_.data();
}
template class HostView<float>;
template class HostView<double>;
template class HostView<int32_t>;

std::vector<double> Tensor::to_doubles() const {
  std::vector<double> out(size_t(numel()), 0.0);
  if (out.empty()) return out;
  auto copy = [&]<class T>(const T* p) {
    // From the first to the last element in memory.
    int64_t first = 0, last = 0;
    for (int i = 0; i < rank(); ++i)
      (strides_[i] < 0 ? first : last) += (shape_[i] - 1) * strides_[i];
    std::vector<T> here(device() ? size_t(last - first + 1) : 0);
    if (device()) {
      device()->read(here.data(), p + first, here.size() * sizeof(T));
      p = here.data() - first;
    }
    for_each_offset(shape_, strides_,
                    [&](int64_t i, int64_t offset) { out[size_t(i)] = double(p[offset]); });
  };
  switch (dtype_) {
    case DType::f32:
      copy(data<float>());
      break;
    case DType::f64:
      copy(data<double>());
      break;
    case DType::i32:
      copy(data<int32_t>());
      break;
    case DType::i8:
      copy(data<int8_t>());
  }
  return out;
}

double Tensor::item() const {
  require(numel() == 1, "item: a tensor of shape {} has not one element", shape_);
  return to_doubles()[0];
}

}  // namespace star
