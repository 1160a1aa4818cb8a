// A model in ONNX's file format: the messages of its public schema (onnx.proto3 of
// github.com/onnx/onnx) that an export writes, with those of their fields that it sets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace star::synthesis::onnx {

// The operators are those of this set: ONNX 1.13, ONNX Runtime 1.15.
inline constexpr int64_t kOpset = 18;
// The version of the format itself in which that set appeared.
inline constexpr int64_t kIrVersion = 8;

enum class Type { none = 0, float32 = 1, int64 = 7 };

// A number, or the name of what is known at run time only.
using Dim = std::variant<int64_t, std::string>;

struct ValueInfoProto {
  std::string name;
  Type type = Type::float32;
  std::vector<Dim> shape;
};

// What stands in a graph as it is: its bytes, or where in a file beside the model they lie.
struct TensorProto {
  std::string name;
  Type type = Type::float32;
  std::vector<int64_t> dims;
  std::string raw;       // little-endian; unused of an external tensor
  std::string location;  // the name of the file; empty of a tensor that is not external
  int64_t offset = 0, length = 0;
};

struct GraphProto;
struct AttributeProto {
  std::string name;
  std::variant<int64_t, std::vector<int64_t>, std::shared_ptr<const GraphProto>> value;
};

struct NodeProto {
  std::string op;
  std::vector<std::string> inputs, outputs;
  std::vector<AttributeProto> attributes;
};

struct GraphProto {
  std::string name, doc;
  std::vector<NodeProto> nodes;  // each after those whose outputs it takes
  std::vector<TensorProto> initializers;
  std::vector<ValueInfoProto> inputs, outputs;
};

struct ModelProto {
  std::string producer, version;
  std::vector<std::pair<std::string, std::string>> metadata;
  GraphProto graph;
};

// The file.
std::string to_bytes(const ModelProto& model);

// Whether this is the beginning of a file of this producer, as `to_bytes` writes it.
bool made_by(const std::string& producer, const std::string& bytes);

}  // namespace star::synthesis::onnx
