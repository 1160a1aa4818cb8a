// An ONNX graph while it is built: operators are added one after the other, and every value is
// known by its name.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "star/export/onnx_proto.h"

namespace star::synthesis::onnx {

using Value = std::string;
using Values = std::vector<Value>;
using Ints = std::vector<int64_t>;

// Tensors of a file beside the model, by their names.
using WeightTable = std::map<std::string, TensorProto>;

class Builder {
 public:
  // The table outlives the builder.
  explicit Builder(const WeightTable& weights) : weights_(&weights) {}

  // While it lives, what is added has this before its name, behind that of the scope around it
  // unless it is an outermost one: "blocks.0" and "liv.q" make "blocks.0.liv.q/MatMul".
  class Scope {
   public:
    Scope(Builder& builder, const std::string& name, bool outermost = false);
    ~Scope() { builder_.scope_ = outer_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Builder& builder_;
    const std::string outer_;
  };

  Value input(const ValueInfoProto& info);
  // The value leaves the graph under the name of `info`.
  void output(const Value& value, const ValueInfoProto& info);

  Value op(const char* type, const Values& inputs,
           const std::vector<AttributeProto>& attributes = {});
  // Of an operator with several outputs.
  Values op(const char* type, const Values& inputs, const std::vector<AttributeProto>& attributes,
            int outputs);

  // A tensor of the table; there only if it is asked for. Throws `Error` if the table lacks it.
  Value weight(const std::string& name);
  Value transposed_weight(const std::string& name);
  // Constants: without dimensions, or [n].
  Value number(double value);
  Value integer(int64_t value);
  Value numbers(const std::string& name, const std::vector<float>& values);
  Value integers(const Ints& values);

  // A graph of its own, the body of a loop, of what `build` adds; what that returns leaves it. It may
  // take all that was added before; its own inputs are its parameters. It asks for no weight.
  std::shared_ptr<const GraphProto> body(const std::function<std::vector<ValueInfoProto>()>& build);
  Value parameter(const std::string& name);

  // Operators that are met often; those with two inputs broadcast.
  Value add(const Value& a, const Value& b) { return op("Add", {a, b}); }
  Value sub(const Value& a, const Value& b) { return op("Sub", {a, b}); }
  Value mul(const Value& a, const Value& b) { return op("Mul", {a, b}); }
  Value div(const Value& a, const Value& b) { return op("Div", {a, b}); }
  Value matmul(const Value& a, const Value& b) { return op("MatMul", {a, b}); }
  Value exp(const Value& u) { return op("Exp", {u}); }
  Value neg(const Value& u) { return op("Neg", {u}); }
  Value softplus(const Value& u) { return op("Softplus", {u}); }
  Value silu(const Value& u) { return mul(u, op("Sigmoid", {u})); }
  // A size of 0 stays as it is.
  Value reshape(const Value& u, const Ints& shape) { return op("Reshape", {u, integers(shape)}); }
  Value transpose(const Value& u, const Ints& order);
  Value squeeze(const Value& u, int64_t axis) { return op("Squeeze", {u, integers({axis})}); }
  Value unsqueeze(const Value& u, int64_t axis) { return op("Unsqueeze", {u, integers({axis})}); }
  Value concat(int64_t axis, const Values& parts);
  Value last(const Value& u, int64_t axis, int64_t n);  // of an axis, as far as it has so many
  Value sum(const Value& u, int64_t axis);              // the axis stays, with size 1
  Value size(const Value& u, int64_t axis);             // [1], int64
  Value as_float(const Value& u);

  GraphProto finish(const std::string& name, const std::string& doc);

 private:
  std::string fresh_name(const std::string& plain);
  Value constant(TensorProto tensor);

  const WeightTable* weights_;
  std::string scope_;
  GraphProto graph_;  // the one that is added to: a body while there is one
  std::vector<TensorProto> initializers_;
  std::map<std::string, int> names_;    // how often each was asked for
  std::map<std::string, Value> known_;  // constants, weights and what is transposed of them
};

}  // namespace star::synthesis::onnx
