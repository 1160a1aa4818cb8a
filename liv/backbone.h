// The residual backbone around the operators (liv/README.md):
//   h⁰ = E[tokens];  hˡ = hˡ⁻¹ + LIVˡ(RMSNorm(hˡ⁻¹));  logits = RMSNorm(hᴸ) Eᵀ
// LIVs may read in parallel, share weights, and reuse features that an earlier LIV computed.
//
// A model with a decoder tells a sequence from what is left of it in its last state:
//   logitsₜ = RMSNorm(W₂ swish(W₁ (RMSNorm(hᴸ at the last place) + pₜ))) Eᵀ
// with pₜ the sines and cosines of Vaswani et al. (2017, section 3.5), as compression in the MAD
// suite asks it (Poli et al., 2024, arXiv 2403.17844).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "liv/operator.h"

namespace star::liv {

// Where one feature group of one LIV comes from; LIVs are numbered by their place in the backbone.
struct FeatureSource {
  int feature;  // the LIV that computes the feature: the donor, or the LIV itself
  int weights;  // the LIV that owns the weights of the group; −1 if the feature is reused
  bool operator==(const FeatureSource&) const = default;
};

struct Block {
  LivClass liv;
  std::vector<FeatureSource> sources;  // for each of liv.groups
  bool parallel = false;               // reads what the LIV before it read
};

struct Parameter {
  std::string name;  // as in a checkpoint
  Tensor value, grad;
  bool decay;
};

// What a model keeps between tokens: a State for each operator.
class DecodingState {
 public:
  int64_t position() const { return states_.empty() ? 0 : states_[0].position; }
  int64_t floats() const;
  // As State::of.
  DecodingState of(Exec& exec, std::span<const int64_t> sequences) const;

 private:
  friend class Backbone;
  std::vector<State> states_;
};

class Backbone {
 public:
  // Parameters drawn from `seed`, each from its own stream, named after it. Throws `Error` where a
  // class does not fit the sizes. Without memory (exec null) only names and costs are known.
  Backbone(Exec* exec, std::vector<Block> blocks, const Sizes& sizes, DType dtype = DType::f32,
           uint64_t seed = 0)
      : Backbone(exec, std::move(blocks), sizes, dtype, std::optional(seed)) {}

  // Parameters of 0, for whoever has their values, and no gradients: for inference.
  static Backbone blank(Exec& exec, std::vector<Block> blocks, const Sizes& sizes, DType dtype) {
    return Backbone(&exec, std::move(blocks), sizes, dtype, std::optional<uint64_t>());
  }

  const Sizes& sizes() const { return sizes_; }
  const std::vector<Block>& blocks() const { return blocks_; }
  const Operator& liv(int block) const { return operators_[size_t(block)]; }

  // Logits [B·L, V] of tokens [B, L] (int32, each below V). With a state, of one model and one B,
  // the tokens continue what it has seen.
  Var forward(Tape& tape, const Tensor& tokens, DecodingState* state = nullptr) const;
  // The same in two: RMSNorm(hᴸ), [B·L, d], and the logits [rows, V] of rows of it. Of a model with
  // a decoder, without a state, what stands before Eᵀ above; with one it is as without a decoder.
  Var hidden(Tape& tape, const Tensor& tokens, DecodingState* state = nullptr) const;
  Var output(Tape& tape, const Var& hidden) const;
  // T(x) of a block, as Operator::materialize has it, on what the block reads where the model is
  // given tokens [1, L]; or a part of it, as Operator::materialize_part.
  DenseCore materialize(Tape& tape, const Tensor& tokens, int block,
                        std::optional<int> part = {}) const;

  // Keeps the weights of linear maps in eight bits from here on (core/quantized.h): for inference, in
  // a third of the memory. Their values are int8 then, and none has a gradient.
  void quantize(Exec& exec);
  // Of all that a pass reads of the parameters; of the embedding, what the output product reads.
  int64_t weight_bytes() const;

  // Shared parameters once, in the order of the blocks; each is a view of one vector until
  // `quantize`.
  const std::vector<Parameter>& parameters() const { return parameters_; }
  Parameter* find(const std::string& name);
  // All weights and all gradients, as far as there are any, with those that decay in the first `decayed()` places; padding
  // between parameters is 0.
  const Tensor& flat_values() const { return values_; }
  const Tensor& flat_grads() const { return grads_; }
  int64_t decayed() const { return decayed_; }

  // Names and shapes without memory: what the constructor would make.
  struct NamedShape {
    std::string name;
    Shape shape;
    int block;  // that owns it; −1 for the embedding, the last norm and the decoder
  };
  const std::vector<NamedShape>& shapes() const { return shapes_; }

  // What 64 bits do not hold is refused, by an `Error`.
  int64_t parameter_count() const;                 // unique, embedding included
  int64_t body_parameter_count() const;            // without the embedding
  int64_t layer_parameter_count(int block) const;  // owned by one block
  int64_t cache_bytes(int64_t context) const;      // float32
  int64_t layer_cache_bytes(int block, int64_t context) const;
  // FLOPs of a training step a token: two a multiply-add, a backward pass being two forward ones.
  double training_flops() const;

 private:
  Backbone(Exec* exec, std::vector<Block> blocks, const Sizes& sizes, DType dtype,
           std::optional<uint64_t> seed);

  struct Declared {  // a parameter before it has memory
    std::string name;
    int block;
    ParameterSpec spec;
  };
  struct Reuse {
    Role role;
    int donor;
  };
  // What a block takes of the parameters, by their indices, and of the features of others.
  struct Wiring {
    int norm = -1;
    Places places{};
    std::vector<Reuse> reused{};
  };
  // As `hidden`; `after` is called with each block, its weights and its features.
  template <class F>
  Var run(Tape& tape, const Tensor& tokens, DecodingState* state, const F& after) const;
  std::vector<Declared> declare();
  Wiring wire(int block, std::vector<Declared>& all) const;
  void lay_out(const std::vector<Declared>& all, Exec* exec, DType dtype, bool with_gradients);
  void draw(const std::vector<Declared>& all, Exec& exec, uint64_t seed);
  std::vector<Role> reused(int block) const;
  Var decoded(Tape& tape, const Var& last, int64_t length) const;

  Sizes sizes_;
  std::vector<Block> blocks_;
  std::vector<Operator> operators_;
  std::vector<NamedShape> shapes_;
  std::vector<Parameter> parameters_;
  std::vector<Wiring> wiring_;  // for each block
  int embedding_ = -1, final_norm_ = -1;
  int decoder_ = -1;  // its first map, which the second and the norm follow
  Tensor codes_;      // pₜ of the training length [L, d], of a model that is trained
  Tensor values_, grads_;
  Tensor output_;  // the embedding as the output product reads it
  int64_t decayed_ = 0;
};

}  // namespace star::liv
