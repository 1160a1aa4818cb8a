#include "star/export/onnx_proto.h"

#include <string_view>

namespace star::synthesis::onnx {
namespace {

// A message on the wire of protocol buffers: fields one after the other, each behind its number and
// the kind of what follows, a varint or bytes behind their length.
class Message {
 public:
  void number(int field, int64_t value) {
    varint(uint64_t(field) << 3);
    varint(uint64_t(value));
  }
  void bytes(int field, std::string_view value) {
    varint(uint64_t(field) << 3 | 2);
    varint(value.size());
    data_ += value;
  }
  // What is empty is what a reader takes for granted.
  void text(int field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  void message(int field, const Message& value) { bytes(field, value.data_); }
  const std::string& data() const { return data_; }

 private:
  // Seven bits a byte, the lowest first; the eighth says that more follow.
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) data_ += char(value | 0x80);
    data_ += char(value);
  }

  std::string data_;
};

// Functions are called after the message they write, which the numbers of its fields belong to.
Message string_string_entry(std::string_view key, std::string_view value) {
  Message m;
  m.bytes(1, key);
  m.bytes(2, value);
  return m;
}

Message tensor_shape(const std::vector<Dim>& shape) {
  Message m;
  for (const Dim& dim : shape) {
    Message d;
    if (const int64_t* size = std::get_if<int64_t>(&dim))
      d.number(1, *size);
    else
      d.bytes(2, std::get<std::string>(dim));
    m.message(1, d);
  }
  return m;
}

Message value_info(const ValueInfoProto& value) {
  Message m, type, tensor;
  m.text(1, value.name);
  if (value.type == Type::none) return m;
  tensor.number(1, int64_t(value.type));
  tensor.message(2, tensor_shape(value.shape));
  type.message(1, tensor);
  m.message(2, type);
  return m;
}

Message tensor(const TensorProto& t) {
  Message m;
  for (int64_t dim : t.dims) m.number(1, dim);
  m.number(2, int64_t(t.type));
  m.text(8, t.name);
  if (t.location.empty()) {
    m.bytes(9, t.raw);
    return m;
  }
  m.message(13, string_string_entry("location", t.location));
  m.message(13, string_string_entry("offset", std::to_string(t.offset)));
  m.message(13, string_string_entry("length", std::to_string(t.length)));
  m.number(14, 1);  // the data is external
  return m;
}

Message graph(const GraphProto& g);

Message attribute(const AttributeProto& a) {
  enum { kInt = 2, kGraph = 5, kInts = 7 };
  Message m;
  m.text(1, a.name);
  if (const int64_t* i = std::get_if<int64_t>(&a.value)) {
    m.number(3, *i);
    m.number(20, kInt);
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&a.value)) {
    for (int64_t each : *ints) m.number(8, each);
    m.number(20, kInts);
  } else {
    m.message(6, graph(*std::get<std::shared_ptr<const GraphProto>>(a.value)));
    m.number(20, kGraph);
  }
  return m;
}

Message node(const NodeProto& n) {
  Message m;
  for (auto& input : n.inputs) m.bytes(1, input);
  for (auto& output : n.outputs) m.bytes(2, output);
  m.text(3, n.outputs.at(0));
  m.text(4, n.op);
  for (auto& a : n.attributes) m.message(5, attribute(a));
  return m;
}

Message graph(const GraphProto& g) {
  Message m;
  for (auto& n : g.nodes) m.message(1, node(n));
  m.text(2, g.name);
  for (auto& t : g.initializers) m.message(5, tensor(t));
  m.text(10, g.doc);
  for (auto& value : g.inputs) m.message(11, value_info(value));
  for (auto& value : g.outputs) m.message(12, value_info(value));
  return m;
}

Message head(const std::string& producer) {
  Message m;
  m.number(1, kIrVersion);
  m.text(2, producer);
  return m;
}

}  // namespace

std::string to_bytes(const ModelProto& model) {
  Message m = head(model.producer), opset;
  m.text(3, model.version);
  m.message(7, graph(model.graph));
  opset.number(2, kOpset);
  m.message(8, opset);
  for (auto& [key, value] : model.metadata) m.message(14, string_string_entry(key, value));
  return m.data();
}

bool made_by(const std::string& producer, const std::string& bytes) {
  return bytes.starts_with(head(producer).data());
}

}  // namespace star::synthesis::onnx
