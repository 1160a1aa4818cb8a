// The safetensors format: named arrays and a map of strings in one file.
//
//   8 bytes      N, the length of the header, little-endian
//   N bytes      a JSON object: name -> {"dtype", "shape", "data_offsets": [begin, end]}, and
//                optionally "__metadata__" -> {string: string}; spaces may follow it
//   the rest     the bytes of the arrays, row-major and little-endian; the offsets count from here
//
// The arrays tile the rest of the file: no gap, no overlap, nothing left over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace star {

struct TensorView {
  std::string name;
  std::string dtype;  // as the format spells it: F32, F64, I64, BF16, …
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // may be unaligned in files of others: copy, do not cast
};

using Metadata = std::map<std::string, std::string>;

// Bytes of an element, 0 for a dtype that is not known.
int64_t dtype_width(std::string_view dtype);

// An open file; its views live as long as it does. Every fault of the file is an `Error` that names
// the file and, where there is one, the tensor; nothing is read beyond the end.
class SafeTensors {
 public:
  static SafeTensors open(const std::string& path);
  // From the content of a file; `name` is what errors call it.
  static SafeTensors parse(std::string content, const std::string& name);

  SafeTensors(SafeTensors&&) = default;
  SafeTensors& operator=(SafeTensors&&) = default;

  const std::vector<TensorView>& tensors() const { return tensors_; }  // by their place in the file
  const Metadata& metadata() const { return metadata_; }
  const TensorView* find(std::string_view name) const;  // null when there is none

 private:
  SafeTensors() = default;

  std::vector<char> content_;
  std::vector<TensorView> tensors_;
  Metadata metadata_;
};

// Writes the tensors in the order given, the header padded so that the data starts at a multiple of
// 8. The file appears whole or not at all. Errors: a name given twice or reserved, an unknown
// dtype, bytes that do not match the shape, text that is not UTF-8, and those of the file system.
void write_safetensors(const std::string& path, std::span<const TensorView> tensors,
                       const Metadata& metadata = {});

}  // namespace star
