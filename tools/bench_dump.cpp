#include "tools/bench_dump.h"

#include <deque>
#include <nlohmann/json.hpp>

#include "autograd/rows.h"
#include "core/safetensors.h"
#include "star/checkpoint.h"

namespace star {
namespace {

// The tensors of a file, and the float32 copies that they are views of.
class Contents {
 public:
  explicit Contents(Exec& exec) : exec_(exec) {}

  void add(const std::string& name, const Tensor& t) {
    std::vector<double> doubles = exec_.contiguous(t).to_doubles();
    copies_.emplace_back(doubles.begin(), doubles.end());
    views.push_back({name,
                     "F32",
                     {t.shape().begin(), t.shape().end()},
                     std::as_bytes(std::span(copies_.back()))});
  }
  void add(const std::string& name, const Batch& batch, const std::vector<int32_t>& values) {
    views.push_back(
        {name, "I32", {batch.sequences, batch.length}, std::as_bytes(std::span(values))});
  }

  std::vector<TensorView> views;

 private:
  Exec& exec_;
  std::deque<std::vector<float>> copies_;  // a deque: the views stay where they are
};

}  // namespace

void dump_step(const std::string& path, Exec& exec, const Backbone& model, const Batch& batch,
               const std::string& genome) {
  Tape tape(exec);
  exec.fill(model.flat_grads(), 0);
  Var logits = model.forward(tape, exec.from({batch.sequences, batch.length}, batch.tokens));
  Var loss = cross_entropy(logits, exec.from({int64_t(batch.targets.size())}, batch.targets));
  tape.backward(loss);

  Contents contents(exec);
  contents.add("tokens", batch, batch.tokens);
  contents.add("targets", batch, batch.targets);
  contents.add("loss", exec.from({1}, std::vector<double>{loss.value().item()}, DType::f32));
  for (auto& p : model.parameters()) {
    contents.add(p.name, p.value);
    contents.add("grad." + p.name, p.grad);
  }
  write_safetensors(path, contents.views,
                    {{"genome", genome}, {"config", sizes_json(model.sizes()).dump()}});
}

}  // namespace star
