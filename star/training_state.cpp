#include "star/training_state.h"

#include <cstring>

#include "core/error.h"
#include "core/rng.h"
#include "core/safetensors.h"

namespace star::synthesis {
namespace {

constexpr const char* kFormat = "star-training/1";

template <class T>
std::vector<T> values_of(const SafeTensors& file, const char* name, const char* dtype) {
  const TensorView* view = file.find(name);
  require(view && view->dtype == dtype && view->shape.size() == 1, "no vector `{}`", name);
  std::vector<T> values(size_t(view->shape[0]));
  if (!values.empty()) std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
  return values;
}

std::vector<double> widened(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

// Of what the file holds: a flipped bit in a weight is no fault of the format.
std::string content_hash(const std::string& training, const std::vector<TensorView>& tensors) {
  uint64_t hash = hash_text(training);
  for (auto& t : tensors) {
    const std::string_view bytes(reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size());
    hash = hash * 31 + hash_text(bytes);
  }
  return fmt::format("{:016x}", hash);
}

template <class T>
TensorView view_of(const char* name, const char* dtype, const std::vector<T>& values) {
  return {name, dtype, {int64_t(values.size())}, std::as_bytes(std::span(values))};
}

}  // namespace

void save_training_state(const std::string& path, const std::string& training,
                         const TrainingState& state) {
  const std::vector<float> values(state.values.begin(), state.values.end()),
      first(state.first.begin(), state.first.end()),
      second(state.second.begin(), state.second.end());
  std::vector<double> losses;
  std::vector<int64_t> targets;
  for (auto& step : state.losses) {
    losses.push_back(step.loss);
    targets.push_back(step.targets);
  }
  const std::vector<int64_t> updates = {state.updates};
  const std::vector<TensorView> tensors = {
      view_of("values", "F32", values),   view_of("first", "F32", first),
      view_of("second", "F32", second),   view_of("losses", "F64", losses),
      view_of("targets", "I64", targets), view_of("updates", "I64", updates)};
  write_safetensors(
      path, tensors,
      {{"format", kFormat}, {"training", training}, {"hash", content_hash(training, tensors)}});
}

std::optional<TrainingState> load_training_state(const std::string& path,
                                                 const std::string& training) {
  try {
    const SafeTensors file = SafeTensors::open(path);
    const Metadata expected = {{"format", kFormat},
                               {"training", training},
                               {"hash", content_hash(training, file.tensors())}};
    if (file.metadata() != expected) return std::nullopt;
    const auto losses = values_of<double>(file, "losses", "F64");
    const auto targets = values_of<int64_t>(file, "targets", "I64");
    const auto updates = values_of<int64_t>(file, "updates", "I64");
    require(updates.size() == 1 && losses.size() == targets.size(), "sizes do not fit");
    TrainingState state{widened(values_of<float>(file, "values", "F32")),
                        widened(values_of<float>(file, "first", "F32")),
                        widened(values_of<float>(file, "second", "F32")),
                        updates[0],
                        {}};
    for (size_t i = 0; i < losses.size(); ++i) state.losses.push_back({losses[i], targets[i]});
    return state;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace star::synthesis
