// The model against an independent implementation: logits, loss and every gradient as reference.py
// computed them (make.py beside it wrote the files).
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/rows.h"
#include "core/safetensors.h"
#include "cpu/cpu.h"
#include "star/checkpoint.h"
#include "tests/liv/models.h"
#include "tests/sources.h"

using namespace star;
using namespace star::synthesis;

namespace {

std::string data_folder() { return source_folder() + "/tests/golden/data/"; }

std::vector<std::string> golden_cases() {
  const std::string ending = ".expected.safetensors";
  std::vector<std::string> names;
  for (auto& entry : std::filesystem::directory_iterator(data_folder())) {
    std::string file = entry.path().filename().string();
    if (file.size() > ending.size() && file.ends_with(ending))
      names.push_back(file.substr(0, file.size() - ending.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<double> doubles_of(const SafeTensors& file, const std::string& name) {
  const TensorView* view = file.find(name);
  REQUIRE_MESSAGE(view, name);
  REQUIRE(view->dtype == "F64");
  std::vector<double> values(view->bytes.size() / sizeof(double));
  std::memcpy(values.data(), view->bytes.data(), view->bytes.size());
  return values;
}

std::vector<int32_t> integers_of(const SafeTensors& file, const char* key) {
  return nlohmann::json::parse(file.metadata().at(key)).get<std::vector<int32_t>>();
}

void compare(const std::string& name, DType dtype, double bound) {
  CAPTURE(name);
  INFO(fmt::format("{}", dtype_name(dtype)));
  Exec exec(cpu_backend());
  // A loaded model has no gradients; one with the same values has.
  const LoadedModel loaded = load_checkpoint(data_folder() + name + ".safetensors", exec, dtype);
  Backbone model(&exec, loaded.model->blocks(), loaded.model->sizes(), dtype);
  for (auto& p : loaded.model->parameters()) exec.copy(p.value, model.find(p.name)->value);
  SafeTensors expected = SafeTensors::open(data_folder() + name + ".expected.safetensors");
  std::vector<int32_t> tokens = integers_of(expected, "tokens");
  std::vector<int32_t> targets = integers_of(expected, "targets");

  Tape tape(exec);
  Var logits = model.forward(tape, exec.from({1, int64_t(tokens.size())}, tokens));
  Var loss = cross_entropy(logits, exec.from({int64_t(targets.size())}, targets));
  CHECK(relative_error(logits.value().to_doubles(), doubles_of(expected, "logits")) < bound);
  CHECK(relative_error({loss.value().item()}, doubles_of(expected, "loss")) < bound);
  tape.backward(loss);
  for (auto& p : model.parameters()) {
    CAPTURE(p.name);
    CHECK(relative_error(p.grad.to_doubles(), doubles_of(expected, p.name)) < bound);
  }
  CHECK(expected.tensors().size() == model.parameters().size() + 2);
}

}  // namespace

TEST_CASE("golden: logits, loss and gradients are those of the reference") {
  for (const std::string& name : golden_cases()) {
    compare(name, DType::f64, 1e-10);
    compare(name, DType::f32, 1e-5);
  }
}

TEST_CASE("golden: every class has its file") {
  Exec exec(cpu_backend());
  std::set<char> covered;
  for (const std::string& name : golden_cases()) {
    LoadedModel loaded = load_checkpoint(data_folder() + name + ".safetensors", exec);
    for (const Block& block : loaded.model->blocks()) covered.insert(block.liv.id);
  }
  for (const LivClass& c : extended_pool().classes) CHECK_MESSAGE(covered.count(c.id), c.name);
}
