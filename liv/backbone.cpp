#include "liv/backbone.h"

#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/rows.h"
#include "autograd/views.h"
#include "core/counting.h"
#include "core/quantized.h"

namespace star::liv {
namespace {

constexpr int64_t kAlign = 16;  // parameters start at multiples of a cache line

// pₜ [L, d].
Tensor position_codes(Exec& exec, int64_t length, int64_t width, DType dtype) {
  std::vector<double> codes;
  for (int64_t t = 0; t < length; ++t)
    for (int64_t c = 0; c < width; ++c) {
      const double angle = double(t) * std::pow(1e4, -double(c - c % 2) / double(width));
      codes.push_back(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  return exec.from({length, width}, codes, dtype);
}

std::string block_prefix(int block) { return fmt::format("blocks.{}.", block); }

}  // namespace

DecodingState DecodingState::of(Exec& exec, std::span<const int64_t> sequences) const {
  DecodingState some;
  for (const State& state : states_) some.states_.push_back(state.of(exec, sequences));
  return some;
}

int64_t DecodingState::floats() const {
  int64_t total = 0;
  for (auto& state : states_) total += state.floats();
  return total;
}

Backbone::Backbone(Exec* exec, std::vector<Block> blocks, const Sizes& sizes, DType dtype,
                   std::optional<uint64_t> seed)
    : sizes_(sizes), blocks_(std::move(blocks)) {
  check_sizes(sizes);
  require(!blocks_.empty(), "backbone: no LIV");
  for (auto& block : blocks_) operators_.emplace_back(block.liv, sizes);
  const std::vector<Declared> all = declare();
  lay_out(all, exec, dtype, seed.has_value());
  if (!exec || !seed) return;
  draw(all, *exec, *seed);
  if (sizes.decoder) codes_ = position_codes(*exec, sizes.seq, sizes.width, dtype);
}

// Collects the parameters, and says what each block takes of them.
std::vector<Backbone::Declared> Backbone::declare() {
  std::vector<Declared> all;
  const int64_t d = sizes_.width;
  embedding_ = int(all.size());
  all.push_back({"embed.weight", -1, {Piece::weight, {sizes_.vocab, d}, true, init::normal(0.02)}});
  for (int l = 0; l < int(blocks_.size()); ++l) wiring_.push_back(wire(l, all));
  final_norm_ = int(all.size());
  all.push_back({"norm.weight", -1, {Piece::weight, {d}, false, init::constant(1)}});
  if (!sizes_.decoder) return all;
  decoder_ = int(all.size());
  for (const char* map : {"decoder.in.weight", "decoder.out.weight"})
    all.push_back({map, -1, {Piece::weight, {d, d}, true, init::linear(d)}});
  all.push_back({"decoder.norm.weight", -1, {Piece::weight, {d}, false, init::constant(1)}});
  return all;
}

Backbone::Wiring Backbone::wire(int l, std::vector<Declared>& all) const {
  const Block& block = blocks_[size_t(l)];
  const std::vector<FeatureGroup>& groups = block.liv.groups;
  Wiring wiring;
  wiring.norm = int(all.size());
  all.push_back({block_prefix(l) + "norm.weight",
                 l,
                 {Piece::weight, {sizes_.width}, false, init::constant(1)}});
  for (ParameterSpec& spec : operators_[size_t(l)].parameters(int64_t(blocks_.size()))) {
    int owner = l;
    for (size_t g = 0; g < groups.size(); ++g)
      if (spec.key.role == groups[g].role) owner = block.sources[g].weights;
    if (owner < 0) continue;
    if (owner == l) {
      wiring.places.put(spec, int(all.size()));
      all.push_back({block_prefix(l) + "liv." + spec.name(), l, std::move(spec)});
    } else {
      wiring.places.put(spec,
                        int(wiring_[size_t(owner)].places.of(spec.key, spec.part.value_or(0))));
    }
  }
  for (size_t g = 0; g < groups.size(); ++g)
    if (int donor = block.sources[g].feature; donor != l)
      wiring.reused.push_back({groups[g].role, donor});
  return wiring;
}

// Lays the parameters out in one vector.
void Backbone::lay_out(const std::vector<Declared>& all, Exec* exec, DType dtype,
                       bool with_gradients) {
  int64_t size = 0;
  std::vector<int64_t> offsets(all.size());
  for (bool decay : {true, false}) {
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].spec.decay != decay) continue;
      offsets[i] = size;
      const int64_t padded = counted_sum("parameters", all[i].spec.shape.numel(), kAlign - 1);
      size = counted_sum("parameters", size, padded / kAlign * kAlign);
    }
    if (decay) decayed_ = size;
  }
  for (auto& p : all) shapes_.push_back({p.name, p.spec.shape, p.block});
  if (!exec) return;
  values_ = exec->zeros({size}, dtype);
  if (with_gradients) grads_ = exec->zeros({size}, dtype);
  for (size_t i = 0; i < all.size(); ++i) {
    const Shape& shape = all[i].spec.shape;
    auto view = [&](const Tensor& flat) {
      return flat.defined() ? flat.narrow(0, offsets[i], shape.numel()).reshape(shape) : Tensor();
    };
    parameters_.push_back({all[i].name, view(values_), view(grads_), all[i].spec.decay});
  }
}

void Backbone::draw(const std::vector<Declared>& all, Exec& exec, uint64_t seed) {
  // Each has a generator of its own, so that they may be drawn side by side.
  std::vector<std::vector<double>> starts;
  for (auto& p : all) starts.emplace_back(size_t(p.spec.shape.numel()));
  exec.pool().run(int64_t(all.size()), [&](int64_t i) {
    Rng rng(seed, "init", hash_text(all[size_t(i)].name));
    all[size_t(i)].spec.init(rng, starts[size_t(i)]);
  });
  for (size_t i = 0; i < all.size(); ++i) {
    const Tensor& value = parameters_[i].value;
    exec.copy(exec.from(value.shape(), starts[i], value.dtype()), value);
  }
}

std::vector<Role> Backbone::reused(int block) const {
  std::vector<Role> roles;
  for (auto& reuse : wiring_[size_t(block)].reused) roles.push_back(reuse.role);
  return roles;
}

// Up to the output product.
template <class F>
Var Backbone::run(Tape& tape, const Tensor& tokens, DecodingState* state, const F& after) const {
  require(!parameters_.empty(), "backbone: built without memory");
  require(tokens.rank() == 2 && tokens.size(1) > 0, "backbone: tokens of shape {}", tokens.shape());
  const size_t depth = blocks_.size();
  if (state && state->states_.empty()) state->states_.resize(depth);
  std::vector<Var> vars;
  for (auto& p : parameters_) vars.push_back(tape.parameter(p.value, p.grad));
  auto var = [&](int index) -> const Var& { return vars[size_t(index)]; };

  std::vector<FeatureSet> features(depth);
  Var h = embedding(var(embedding_), tokens), read = h;
  for (size_t l = 0; l < depth; ++l) {
    const Wiring& wiring = wiring_[l];
    const Weights weights(vars, wiring.places);
    if (!blocks_[l].parallel) read = h;
    for (auto [role, donor] : wiring.reused) features[l].take(features[size_t(donor)], role);
    h = operators_[l].apply_onto(h, weights, rms_norm(read, var(wiring.norm)), features[l],
                                 state ? &state->states_[l] : nullptr);
    after(int(l), weights, features[l]);
  }
  return reshape(rms_norm(h, var(final_norm_)), {tokens.numel(), sizes_.width});
}

Var Backbone::hidden(Tape& tape, const Tensor& tokens, DecodingState* state) const {
  const Var h = run(tape, tokens, state, [](int, const Weights&, const FeatureSet&) {});
  if (!sizes_.decoder || state) return h;
  const int64_t length = tokens.size(1);
  return decoded(tape, narrow(reshape(h, {tokens.size(0), length, sizes_.width}), 1, length - 1, 1),
                 length);
}

// Of the last state [B, 1, d] all places, [B·L, d].
Var Backbone::decoded(Tape& tape, const Var& last, int64_t length) const {
  auto parameter = [&](int place) {
    const Parameter& p = parameters_[size_t(decoder_ + place)];
    return tape.parameter(p.value, p.grad);
  };
  const bool kept = codes_.defined() && length == sizes_.seq;
  const Tensor codes =
      kept ? codes_ : position_codes(tape.exec(), length, sizes_.width, last.value().dtype());
  const Var read = last + tape.constant(codes);
  const Var rows = reshape(read, {read.value().numel() / sizes_.width, sizes_.width});
  return rms_norm(linear(silu(linear(rows, parameter(0))), parameter(1)), parameter(2));
}

Var Backbone::output(Tape& tape, const Var& hidden) const {
  const Parameter& table = parameters_[size_t(embedding_)];
  return linear(hidden, tape.parameter(output_.defined() ? output_ : table.value, table.grad));
}

Var Backbone::forward(Tape& tape, const Tensor& tokens, DecodingState* state) const {
  return output(tape, hidden(tape, tokens, state));
}

void Backbone::quantize(Exec& exec) {
  if (output_.defined()) return;
  const Parameter* table = &parameters_[size_t(embedding_)];
  output_ = quantized(exec, table->value);
  for (Parameter& p : parameters_) {
    // What decays are the weights of linear maps, and the embedding, whose rows are looked up.
    const bool map = p.decay && &p != table;
    const Tensor own =
        map ? quantized(exec, p.value) : exec.empty(p.value.shape(), p.value.dtype());
    if (!map) exec.copy(p.value, own);
    p.value = own;
    p.grad = {};
  }
  values_ = grads_ = {};
}

int64_t Backbone::weight_bytes() const {
  auto bytes = [](const Tensor& t) { return t.numel() * int64_t(dtype_bytes(t.dtype())); };
  int64_t total = 0;
  for (const Parameter& p : parameters_) total += bytes(p.value);
  if (output_.defined()) total += bytes(output_) - bytes(parameters_[size_t(embedding_)].value);
  return total;
}

DenseCore Backbone::materialize(Tape& tape, const Tensor& tokens, int block,
                                std::optional<int> part) const {
  require(tokens.rank() == 2 && tokens.size(0) == 1, "T(x): tokens of shape {}, not [1, L]",
          tokens.shape());
  require(block >= 0 && block < int(blocks_.size()), "T(x): there is no block {} among {}", block,
          blocks_.size());
  DenseCore core;
  run(tape, tokens, nullptr, [&](int l, const Weights& weights, const FeatureSet& features) {
    if (l != block) return;
    const Operator& op = operators_[size_t(l)];
    core = part ? op.materialize_part(weights, features, *part) : op.materialize(weights, features);
  });
  return core;
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
    if (s.block == block) total = counted_sum("parameters", total, s.shape.numel());
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
  if (sizes_.decoder) work += 2 * double(sizes_.width) * double(sizes_.width);
  for (int l = 0; l < int(blocks_.size()); ++l)
    work += operators_[size_t(l)].work(sizes_.seq, reused(l));
  return 3 * 2 * work;
}

}  // namespace star::liv
