// A shape or a list of strides: up to eight 64-bit integers, stored in place.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/error.h"
#include "core/host_device.h"

namespace star {

class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t d : dims) push_back(d);
  }

  STAR_HOST_DEVICE int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  STAR_HOST_DEVICE int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  int64_t back() const { return dims_[rank_ - 1]; }
  const int64_t* begin() const { return dims_; }
  const int64_t* end() const { return dims_ + rank_; }

  void push_back(int64_t d) {
    require(rank_ < kMaxRank, "shape: more than {} dimensions", kMaxRank);
    dims_[rank_++] = d;
  }
  Shape with(int i, int64_t d) const {
    Shape s = *this;
    s.dims_[i] = d;
    return s;
  }

  // The product of the dimensions; 1 for a scalar.
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t d : *this) n *= d;
    return n;
  }

  bool operator==(const Shape& o) const {
    return rank_ == o.rank_ && std::equal(begin(), end(), o.begin());
  }

 private:
  int64_t dims_[kMaxRank] = {};
  int rank_ = 0;
};

// Where element `index` of a strided view lies, the elements of its first axes counted row by row.
STAR_HOST_DEVICE inline int64_t offset_of(int64_t index, const Shape& shape, const Shape& strides,
                                          int axes) {
  int64_t offset = 0;
  for (int i = axes - 1; i >= 0; --i) {
    offset += index % shape[i] * strides[i];
    index /= shape[i];
  }
  return offset;
}
STAR_HOST_DEVICE inline int64_t offset_of(int64_t index, const Shape& shape, const Shape& strides) {
  return offset_of(index, shape, strides, shape.rank());
}

}  // namespace star

// "[2, 3]". Error messages take shapes as they are, so that text is made only when it is needed.
template <>
struct fmt::formatter<star::Shape> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const star::Shape& shape, Context& context) const {
    return fmt::format_to(context.out(), "[{}]", fmt::join(shape.begin(), shape.end(), ", "));
  }
};
