#include "star/export/onnx_pass.h"

#include <fmt/format.h>

#include <cmath>

namespace star::synthesis::onnx {
namespace {

constexpr double kRotaryBase = 10000;

ValueInfoProto state_info(const char* when, const std::string& name, std::vector<Dim> shape) {
  return {fmt::format("{}.{}", when, name), Type::float32, std::move(shape)};
}

}  // namespace

Pass::Pass(Builder& builder, Reading reading) : g_(builder), reading_(reading) {
  const Dim length = step() ? Dim(1) : Dim("length");
  tokens_ = g_.input({"tokens", Type::int64, {"batch", length}});
}

std::vector<Dim> Pass::logits_shape(int64_t vocab) const {
  return {"batch", step() ? Dim(1) : Dim("length"), vocab};
}

Value Pass::positions() {
  if (!positions_.empty()) return positions_;
  const Builder::Scope scope(g_, "position", true);
  Value after;
  if (step()) {
    positions_ = g_.input({"past.position", Type::int64, {1}});
    after = g_.add(positions_, g_.integers({1}));
  } else {
    after = g_.size(tokens_, 1);
    positions_ = g_.op("Range", {g_.integer(0), g_.squeeze(after, 0), g_.integer(1)});
  }
  kept_.push_back({after, {"present.position", Type::int64, {1}}});
  return positions_;
}

std::pair<Value, Value> Pass::rotation(int64_t e) {
  auto& known = rotations_[e];
  if (!known.first.empty()) return known;
  std::vector<float> rates;
  for (int64_t r = 0; r < e / 2; ++r)
    rates.push_back(float(std::pow(kRotaryBase, -2.0 * double(r) / double(e))));
  const Builder::Scope scope(g_, fmt::format("rotation.{}", e), true);
  const Value t = g_.unsqueeze(g_.as_float(positions()), 1);
  const Value angles = g_.mul(t, g_.numbers(fmt::format("rotation.{}.rates", e), rates));
  return known = {g_.op("Cos", {angles}), g_.op("Sin", {angles})};
}

Value Pass::visible(int64_t window) {
  Value& known = visible_[window];
  if (!known.empty()) return known;
  const Builder::Scope scope(g_, window ? "visible.window" : "visible", true);
  const Value length = g_.squeeze(g_.size(tokens_, 1), 0);
  const Value j = g_.op("Range", {g_.integer(0), length, g_.integer(1)});
  const Value i = g_.unsqueeze(j, 1);
  known = g_.op("LessOrEqual", {j, i});
  if (window) known = g_.op("And", {known, g_.op("Greater", {j, g_.sub(i, g_.integer(window))})});
  return known;
}

Value Pass::seen(int64_t window, const Value& keys) {
  if (step()) return g_.as_float(g_.size(keys, 2));
  Value& known = seen_[window];
  if (!known.empty()) return known;
  const Builder::Scope scope(g_, window ? "seen.window" : "seen", true);
  return known = g_.sum(g_.as_float(visible(window)), -1);
}

Value Pass::past(const std::string& name, const std::vector<Dim>& shape) {
  return g_.input(state_info("past", name, shape));
}

void Pass::keep(const std::string& name, const Value& value, const std::vector<Dim>& shape) {
  kept_.push_back({value, state_info("present", name, shape)});
}

Value Pass::before(const std::string& name, const std::vector<Dim>& shape) {
  if (step()) return past(name, shape);
  Ints rest;
  for (size_t i = 1; i < shape.size(); ++i) rest.push_back(std::get<int64_t>(shape[i]));
  Value& known = zeros_[rest];
  if (!known.empty()) return known;
  const Builder::Scope scope(g_, "zeros", true);
  const Value sizes = g_.concat(0, {g_.size(tokens_, 0), g_.integers(rest)});
  return known = g_.op("Expand", {g_.number(0), sizes});
}

Value Pass::remember(const std::string& name, const Value& u, std::vector<Dim> shape, int axis,
                     int64_t rows) {
  const bool all = rows == kAll;
  Value seen = u;
  if (step()) {
    shape[size_t(axis)] = all ? "past" : fmt::format("min(past, {})", rows);
    seen = g_.concat(axis, {past(name, shape), u});
  }
  const std::string length = step() ? "past + 1" : "length";
  shape[size_t(axis)] = all ? length : fmt::format("min({}, {})", length, rows);
  keep(name, all ? seen : g_.last(seen, axis, rows), shape);
  return seen;
}

Value Pass::recur(const std::string& name, const std::vector<Dim>& state, const std::vector<Dim>& y,
                  const Values& sequences, const Recurrence& next) {
  const Value begin = before(name, state);
  if (step()) {
    Values token;
    for (auto& u : sequences) token.push_back(g_.squeeze(u, 1));
    const AfterToken after = next(begin, token);
    keep(name, after.state, state);
    return g_.unsqueeze(after.y, 1);
  }
  // ONNX Runtime wants to be told the shapes of what leaves a body.
  const auto body = g_.body([&]() -> std::vector<ValueInfoProto> {
    const Value before_token = g_.parameter("state");
    Values token;
    for (size_t i = 0; i < sequences.size(); ++i) token.push_back(g_.parameter("token"));
    const AfterToken after = next(before_token, token);
    return {{after.state, Type::float32, state}, {after.y, Type::float32, y}};
  });
  Values inputs = {begin};
  inputs.insert(inputs.end(), sequences.begin(), sequences.end());
  const Values outputs = g_.op("Scan", inputs,
                               {{"body", body},
                                {"num_scan_inputs", int64_t(sequences.size())},
                                {"scan_input_axes", Ints(sequences.size(), 1)},
                                {"scan_output_axes", Ints{1}}},
                               2);
  keep(name, outputs[0], state);
  return outputs[1];
}

void Pass::finish() {
  for (auto& kept : kept_) g_.output(kept.value, kept.info);
}

}  // namespace star::synthesis::onnx
