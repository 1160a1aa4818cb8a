#include "liv/backbone.h"

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/rows.h"
#include "autograd/views.h"
#include "core/counting.h"

namespace star {
namespace {

constexpr int64_t kAlign = 16;  // parameters start at multiples of a cache line

std::string block_prefix(int block) { return fmt::format("blocks.{}.", block); }

std::string liv_prefix(int block) { return block_prefix(block) + "liv."; }

// What a follower takes of the features that its donor, of the same class, has used.
void take(const Layout& layout, const FeatureGroup& g, const Features& given, Features& taken) {
  for (int copy = 0; copy < layout.copies(g); ++copy) {
    const std::string name = layout.name_of(g, copy);
    taken[name] = given.at(name);
  }
}

}  // namespace

int64_t DecodingState::floats() const {
  int64_t total = 0;
  for (auto& state : states_) total += state.floats();
  return total;
}

Backbone::Backbone(Exec* exec, std::vector<Block> blocks, const Sizes& sizes, DType dtype,
                   uint64_t seed)
    : sizes_(sizes), blocks_(std::move(blocks)) {
  check_sizes(sizes);
  require(!blocks_.empty(), "backbone: no LIV");
  for (auto& block : blocks_) operators_.emplace_back(block.liv, sizes);
  declare(exec, dtype, seed);
}

// Collects the parameters, then lays them out in one vector.
void Backbone::declare(Exec* exec, DType dtype, uint64_t seed) {
  std::vector<ParameterSpec> specs;
  std::map<std::string, int> index;
  auto add = [&](const std::string& name, ParameterSpec spec) {
    spec.name = name;
    index[name] = int(specs.size());
    specs.push_back(std::move(spec));
    return int(specs.size()) - 1;
  };
  int64_t d = sizes_.width, depth = int64_t(blocks_.size());
  auto norm = [&](const std::string& name) {
    return add(name, {"", {d}, "", false, init::constant(1)});
  };
  embedding_ = add("embed.weight", {"", {sizes_.vocab, d}, "", true, init::normal(0.02)});
  for (int l = 0; l < int(blocks_.size()); ++l) {
    const Operator& op = operators_[size_t(l)];
    const auto& groups = op.liv().groups;
    norms_.push_back(norm(block_prefix(l) + "norm.weight"));
    uses_.emplace_back();
    for (auto& spec : op.parameters(depth)) {
      int owner = l;
      for (size_t g = 0; g < groups.size(); ++g)
        if (groups[g].name == spec.group) owner = blocks_[size_t(l)].sources[g].weights;
      if (owner < 0) continue;
      std::string name = liv_prefix(owner) + spec.name;
      int at = owner == l ? add(name, spec) : index.at(name);
      uses_.back().push_back({spec.name, at});
    }
  }
  final_norm_ = norm("norm.weight");

  int64_t size = 0;
  std::vector<int64_t> offsets(specs.size());
  for (bool decay : {true, false}) {
    for (size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].decay != decay) continue;
      offsets[i] = size;
      const int64_t padded = counted_sum("parameters", specs[i].shape.numel(), kAlign - 1);
      size = counted_sum("parameters", size, padded / kAlign * kAlign);
    }
    if (decay) decayed_ = size;
  }
  for (auto& spec : specs) shapes_.push_back({spec.name, spec.shape});
  if (!exec) return;
  values_ = exec->zeros({size}, dtype);
  grads_ = exec->zeros({size}, dtype);
  // Each has a generator of its own, so that they may be drawn side by side.
  std::vector<std::vector<double>> starts;
  for (auto& spec : specs) starts.emplace_back(size_t(spec.shape.numel()));
  exec->pool().run(int64_t(specs.size()), [&](int64_t i) {
    Rng rng(seed, "init", hash_text(specs[size_t(i)].name));
    specs[size_t(i)].init(rng, starts[size_t(i)]);
  });
  for (size_t i = 0; i < specs.size(); ++i) {
    auto view = [&](const Tensor& flat) {
      return flat.narrow(0, offsets[i], specs[i].shape.numel()).reshape(specs[i].shape);
    };
    parameters_.push_back({specs[i].name, view(values_), view(grads_), specs[i].decay});
    exec->copy(exec->from(specs[i].shape, starts[i], dtype), parameters_.back().value);
  }
}

std::vector<std::string> Backbone::reused(int l) const {
  std::vector<std::string> names;
  const Block& block = blocks_[size_t(l)];
  for (size_t g = 0; g < block.sources.size(); ++g)
    if (block.sources[g].feature != l) names.push_back(block.liv.groups[g].name);
  return names;
}

Var Backbone::forward(Tape& tape, const Tensor& tokens, DecodingState* state) const {
  require(!parameters_.empty(), "backbone: built without memory");
  require(tokens.rank() == 2 && tokens.size(1) > 0, "backbone: tokens of shape {}", tokens.shape());
  int depth = int(blocks_.size());
  if (state && state->states_.empty()) state->states_.resize(size_t(depth));
  std::vector<Var> vars;
  for (auto& p : parameters_) vars.push_back(tape.parameter(p.value, p.grad));
  auto var = [&](int index) -> const Var& { return vars[size_t(index)]; };

  std::vector<Features> features(static_cast<size_t>(depth));
  Var h = embedding(var(embedding_), tokens), read = h;
  for (int l = 0; l < depth; ++l) {
    const Block& block = blocks_[size_t(l)];
    const Operator& op = operators_[size_t(l)];
    if (!block.parallel) read = h;
    Var x = rms_norm(read, var(norms_[size_t(l)]));
    Weights weights;
    for (auto& use : uses_[size_t(l)]) weights.bind(use.name, var(use.index));
    Features taken;
    for (size_t g = 0; g < block.sources.size(); ++g)
      if (int donor = block.sources[g].feature; donor != l)
        take(op.layout(), block.liv.groups[g], features[size_t(donor)], taken);
    State* s = state ? &state->states_[size_t(l)] : nullptr;
    h = op.apply_onto(h, weights, x, taken, s, &features[size_t(l)]);
  }
  Var last = rms_norm(h, var(final_norm_));
  return linear(reshape(last, {tokens.numel(), sizes_.width}), var(embedding_));
}

Parameter* Backbone::find(const std::string& name) {
  for (auto& p : parameters_)
    if (p.name == name) return &p;
  return nullptr;
}

int64_t Backbone::parameter_count() const {
  int64_t total = 0;
  for (auto& s : shapes_) total = counted_sum("parameters", total, s.shape.numel());
  return total;
}

int64_t Backbone::body_parameter_count() const {
  return parameter_count() - sizes_.vocab * sizes_.width;
}

int64_t Backbone::layer_parameter_count(int block) const {
  int64_t total = 0;
  for (auto& s : shapes_)
    if (s.name.rfind(block_prefix(block), 0) == 0)
      total = counted_sum("parameters", total, s.shape.numel());
  return total;
}

int64_t Backbone::layer_cache_bytes(int block, int64_t context) const {
  return counted_product("cache", 4,
                         operators_[size_t(block)].cache_floats(context, reused(block)));
}

int64_t Backbone::cache_bytes(int64_t context) const {
  int64_t total = 0;
  for (int l = 0; l < int(blocks_.size()); ++l)
    total = counted_sum("cache", total, layer_cache_bytes(l, context));
  return total;
}

double Backbone::training_flops() const {
  double work = double(sizes_.vocab) * double(sizes_.width);
  for (int l = 0; l < int(blocks_.size()); ++l)
    work += operators_[size_t(l)].work(sizes_.seq, reused(l));
  return 3 * 2 * work;
}

}  // namespace star
