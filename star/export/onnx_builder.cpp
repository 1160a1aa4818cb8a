#include "star/export/onnx_builder.h"

#include <fmt/ranges.h>

#include <cstring>
#include <limits>

#include "core/error.h"

namespace star::synthesis::onnx {
namespace {

template <class T>
TensorProto constant_tensor(const std::string& name, Type type, const Ints& dims,
                            const std::vector<T>& values) {
  TensorProto t{.name = name, .type = type, .dims = dims, .raw = {}, .location = {}};
  t.raw.resize(values.size() * sizeof(T));
  std::memcpy(t.raw.data(), values.data(), t.raw.size());
  return t;
}

}  // namespace

Builder::Scope::Scope(Builder& builder, const std::string& name, bool outermost)
    : builder_(builder), outer_(builder.scope_) {
  builder_.scope_ = outer_.empty() || outermost ? name : outer_ + "." + name;
}

std::string Builder::fresh_name(const std::string& plain) {
  const std::string name = scope_.empty() ? plain : scope_ + "/" + plain;
  const int times = ++names_[name];
  return times == 1 ? name : fmt::format("{}_{}", name, times);
}

Value Builder::input(const ValueInfoProto& info) {
  graph_.inputs.push_back(info);
  return info.name;
}

void Builder::output(const Value& value, const ValueInfoProto& info) {
  graph_.nodes.push_back({"Identity", {value}, {info.name}, {}});
  graph_.outputs.push_back(info);
}

Value Builder::op(const char* type, const Values& inputs,
                  const std::vector<AttributeProto>& attributes) {
  return op(type, inputs, attributes, 1)[0];
}

Values Builder::op(const char* type, const Values& inputs,
                   const std::vector<AttributeProto>& attributes, int outputs) {
  Values made;
  for (int i = 0; i < outputs; ++i) made.push_back(fresh_name(type));
  graph_.nodes.push_back({type, inputs, made, attributes});
  return made;
}

Value Builder::weight(const std::string& name) {
  const auto [at, fresh] = known_.try_emplace(name, name);
  if (!fresh) return at->second;
  const auto found = weights_->find(name);
  require(found != weights_->end(), "export: there is no weight {}", name);
  initializers_.push_back(found->second);
  return at->second;
}

Value Builder::transposed_weight(const std::string& name) {
  const Value w = weight(name);
  const auto [at, fresh] = known_.try_emplace(name + "/Transpose", name + "/Transpose");
  if (fresh) graph_.nodes.push_back({"Transpose", {w}, {at->second}, {{"perm", Ints{1, 0}}}});
  return at->second;
}

Value Builder::constant(TensorProto tensor) {
  const auto [at, fresh] = known_.try_emplace(tensor.name, tensor.name);
  if (fresh) initializers_.push_back(std::move(tensor));
  return at->second;
}

Value Builder::number(double value) {
  return constant(
      constant_tensor<float>(fmt::format("float({})", value), Type::float32, {}, {float(value)}));
}

Value Builder::integer(int64_t value) {
  return constant(
      constant_tensor<int64_t>(fmt::format("int({})", value), Type::int64, {}, {value}));
}

Value Builder::numbers(const std::string& name, const std::vector<float>& values) {
  return constant(constant_tensor(name, Type::float32, {int64_t(values.size())}, values));
}

Value Builder::integers(const Ints& values) {
  return constant(constant_tensor(fmt::format("int[{}]", fmt::join(values, ", ")), Type::int64,
                                  {int64_t(values.size())}, values));
}

std::shared_ptr<const GraphProto> Builder::body(
    const std::function<std::vector<ValueInfoProto>()>& build) {
  GraphProto outer = std::move(graph_);
  graph_ = {};
  graph_.outputs = build();
  graph_.name = scope_ + "/body";
  auto made = std::make_shared<const GraphProto>(std::move(graph_));
  graph_ = std::move(outer);
  return made;
}

Value Builder::parameter(const std::string& name) {
  return input({fresh_name(name), Type::none, {}});
}

Value Builder::transpose(const Value& u, const Ints& order) {
  return op("Transpose", {u}, {{"perm", order}});
}

Value Builder::concat(int64_t axis, const Values& parts) {
  return op("Concat", parts, {{"axis", axis}});
}

Value Builder::last(const Value& u, int64_t axis, int64_t n) {
  const int64_t end = std::numeric_limits<int64_t>::max();
  const int64_t begin = n == 0 ? end : -n;  // from −0 it would be all
  return op("Slice", {u, integers({begin}), integers({end}), integers({axis})});
}

Value Builder::sum(const Value& u, int64_t axis) {
  return op("ReduceSum", {u, integers({axis})}, {{"keepdims", int64_t(1)}});
}

Value Builder::size(const Value& u, int64_t axis) {
  return op("Shape", {u}, {{"start", axis}, {"end", axis + 1}});
}

Value Builder::as_float(const Value& u) {
  return op("Cast", {u}, {{"to", int64_t(Type::float32)}});
}

GraphProto Builder::finish(const std::string& name, const std::string& doc) {
  graph_.name = name;
  graph_.doc = doc;
  graph_.initializers = std::move(initializers_);
  return std::move(graph_);
}

}  // namespace star::synthesis::onnx
