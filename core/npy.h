// NumPy's .npy files, format 1.0: one array, row-major.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace star {

// Writes the file whole or not at all. Errors: values that do not fill the shape, the file system.
void write_npy(const std::string& path, std::span<const int64_t> shape,
               std::span<const float> values);
void write_npy(const std::string& path, std::span<const int64_t> shape,
               std::span<const double> values);

struct NpyArray {
  std::vector<int64_t> shape;
  std::variant<std::vector<float>, std::vector<double>, std::vector<int64_t>> values;
};

// What the beginning of a file says of the array that follows.
struct NpyHeader {
  std::string descr;  // the type of an element, as "<f4"
  bool fortran_order = false;
  std::vector<int64_t> shape;
  size_t size = 0;  // bytes before the first element
};

// Of the content of a file, format 1 to 3; every fault is an Error.
NpyHeader parse_npy_header(std::string_view content, const std::string& name);

// Reads float32, float64 and int64 arrays, little-endian and in C order; everything else, and every
// fault of the file, is an Error.
NpyArray read_npy(const std::string& path);

// The same from the content of a file; `name` is what errors call it.
NpyArray parse_npy(std::string_view content, const std::string& name);

}  // namespace star
