#include "models/encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tanh.h>

#include <optional>
#include <vector>

#include "core/base/error.h"
#include "models/kernels/ops.h"
#include "models/layers/initial.h"
#include "models/layers/recompute.h"
#include "models/weight_access.h"

namespace trireme::models {
namespace {

class Encoder final : public Model {
 public:
  Encoder(const ModelConfig& config, std::int64_t vocabulary, Part part, Block::Options block)
      : Model(config, vocabulary, part),
        activation_(block.feed_forward.activation),
        embedding_(add_embedding(initial(config))),
        positions_(&parameters_.add("position-embedding.weight", {config.context, config.width}, initial(config),
                                    Role::kTable)),
        types_(&parameters_.add("type-embedding.weight", {config.token_types, config.width}, initial(config),
                                Role::kTable)),
        embedding_norm_(parameters_, "embedding-norm.", config.width, block.norm, config.norm_epsilon),
        dropout_(config, "embedding"),
        head_dropout_(config, "head") {
    if (!begins() || !ends())
      throw Error(ErrorCode::kUsage, "an encoder is not cut into stages: parallel.pipeline must be 1 for family ",
                  config.family);
    block.attention.rotary = nullptr;
    block.attention.rule = {.causal = false};
    blocks_.reserve(static_cast<std::size_t>(config.layers));
    for (std::int64_t layer = 0; layer < config.layers; ++layer)
      blocks_.emplace_back(parameters_, config, layer, block);
    if (config.head == "none" || config.head == "classes")
      pooler_.emplace(parameters_, "pooler.", config, config.width, config.width, initial(config),
                      Linear::Bias::kZeros);
    if (config.head != "language") {
      add_head(initial(config), /*bias=*/true);
      return;
    }
    transform_.emplace(parameters_, "head-transform.", config, config.width, config.width, initial(config),
                       Linear::Bias::kZeros);
    transform_norm_.emplace(parameters_, "head-norm.", config.width, block.norm, config.norm_epsilon);
    add_head(initial(config), /*bias=*/false);
    head_bias_ = &parameters_.add("head-bias.bias", {vocabulary}, Init::zeros(), Role::kBias);
  }

  at::Tensor forward(const at::Tensor& tokens_bt, const ForwardPass& pass) override {
    if (pass.cache) throw Error(ErrorCode::kBug, "an encoder reads a text as a whole, and goes on with none");
    const std::int64_t tokens = tokens_bt.size(1);
    if (tokens > config().context)
      throw Error(ErrorCode::kBadInput, "position ", tokens, " lies beyond model.context ", config().context);
    at::Tensor x = with_weights(pass.weights, "embedding-norm", embedded(tokens_bt, pass),
                                [&](const at::Tensor& in) { return embedding_norm_.forward(in); });
    x = dropout_.forward(x, pass);
    for (const Block& block : blocks_)
      x = with_weights(pass.weights, block.group(), x, [&](const at::Tensor& in) {
        return recomputed(
            pass.recompute, in, [&block, pass](const at::Tensor& y) { return block.forward(y, pass); },
            block.last_is_read());
      });
    return x;
  }

  at::Tensor before_head(const at::Tensor& hidden, const ForwardPass& pass) const override {
    if (transform_)
      return transform_norm_->forward(
          ops::activated(transform_->products(hidden, {}), transform_->bias(), activation_));
    return head_dropout_.forward(pooler_ ? made_of(hidden, pass.weights) : hidden, pass);
  }

  std::optional<at::Tensor> pooled(const at::Tensor& hidden_btc) const override {
    if (!pooler_) return std::nullopt;
    return made_of(hidden_btc.select(1, 0), nullptr);
  }

 private:
  at::Tensor embedded(const at::Tensor& tokens_bt, const ForwardPass& pass) const {
    // Sums read the tables, so that they have to be there until these are made.
    const ReadingWeights reading(pass.weights, "embedding"), reading_positions(pass.weights, "position-embedding"),
        reading_types(pass.weights, "type-embedding");
    // Texts of one kind: the first.
    const at::Tensor x = ops::embedding(tokens_bt, embedding_->value) + types_->value.select(0, 0);
    return x + positions_->value.narrow(0, 0, tokens_bt.size(1));
  }

  at::Tensor made_of(const at::Tensor& hidden, WeightAccess* weights) const {
    return with_weights(weights, "pooler", hidden,
                        [&](const at::Tensor& in) { return at::tanh(pooler_->forward(in, {})); });
  }

  ops::Activation activation_;
  const Parameter *embedding_, *positions_, *types_;
  Norm embedding_norm_;
  Dropout dropout_, head_dropout_;
  std::vector<Block> blocks_;
  std::optional<Linear> pooler_, transform_;
  std::optional<Norm> transform_norm_;
};

}  // namespace

std::unique_ptr<Model> make_encoder(const ModelConfig& config, std::int64_t vocabulary, Part part,
                                    const Block::Options& block) {
  return std::make_unique<Encoder>(config, vocabulary, part, block);
}

}  // namespace trireme::models
