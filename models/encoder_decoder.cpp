#include "models/encoder_decoder.h"

#include <ATen/TensorOperators.h>

#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"
#include "models/kernels/ops.h"
#include "models/layers/initial.h"
#include "models/layers/recompute.h"
#include "models/layers/relative_bias.h"
#include "models/weight_access.h"

namespace trireme::models {
namespace {

RelativeBias::Options distances(const ModelConfig& config, bool both_sides) {
  const std::int64_t least = both_sides ? 4 : 2;
  if (config.relative_buckets < least || config.relative_distance <= config.relative_buckets)
    throw Error(ErrorCode::kUsage, "model.relative-buckets must be at least ", least,
                " and less than model.relative-distance, got ", config.relative_buckets, " and ",
                config.relative_distance);
  return {config.relative_buckets, config.relative_distance, both_sides};
}

Block::Options of_encoder(Block::Options block) {
  block.prefix = "encoder.";
  block.attention.rule.causal = false;
  return block;
}

Block::Options of_decoder(Block::Options block) {
  block.cross = true;
  return block;
}

class EncoderDecoder final : public Model {
 public:
  EncoderDecoder(const ModelConfig& config, std::int64_t vocabulary, Part part, const Block::Options& block)
      : Model(config, vocabulary, part),
        embedding_(add_embedding(initial(config))),
        dropout_(config, "embedding"),
        encoder_bias_(parameters_, "encoder.relative-bias.", config.heads, initial(config), distances(config, true)) {
    if (!begins() || !ends())
      throw Error(ErrorCode::kUsage,
                  "an encoder-decoder is not cut into stages: parallel.pipeline must be 1 for family ", config.family);
    add_blocks(encoder_blocks_, config.encoder_layers, of_encoder(block));
    encoder_norm_.emplace(parameters_, "encoder.norm.", config.width, block.norm, config.norm_epsilon);
    bias_.emplace(parameters_, "relative-bias.", config.heads, initial(config), distances(config, false));
    add_blocks(blocks_, config.layers, of_decoder(block));
    norm_.emplace(parameters_, "norm.", config.width, block.norm, config.norm_epsilon);
    add_head(initial(config), /*bias=*/false);
  }

  at::Tensor encode(const at::Tensor& tokens_bt, const ForwardPass& pass) override {
    const std::int64_t tokens = tokens_bt.size(1);
    ForwardPass inner = pass;
    inner.cache = nullptr;
    inner.attention_bias = encoder_bias_.forward(tokens, tokens, 0);
    return encoder_norm_->forward(through(encoder_blocks_, embedded(tokens_bt, pass), inner));
  }

  at::Tensor forward(const at::Tensor& tokens_bt, const ForwardPass& pass) override {
    if (!pass.memory.defined()) throw Error(ErrorCode::kBug, "a decoder is to be told what its encoder gave");
    const std::int64_t tokens = tokens_bt.size(1), offset = pass.cache ? pass.cache->length() : 0;
    if (tokens > config().context - offset)
      throw Error(ErrorCode::kBadInput, "position ", offset + tokens, " lies beyond model.context ", config().context);
    ForwardPass inner = pass;
    inner.attention_bias = bias_->forward(tokens, offset + tokens, offset);
    const at::Tensor x = through(blocks_, embedded(tokens_bt, pass), inner);
    if (pass.cache) pass.cache->advance(tokens);
    return norm_->forward(x);
  }

  bool has_encoder() const override { return true; }

  at::Tensor before_head(const at::Tensor& hidden, const ForwardPass&) const override {
    const bool scaled = config().head_scale == "auto" ? config().tie_embeddings : config().head_scale == "yes";
    return scaled ? hidden * (1 / std::sqrt(static_cast<double>(config().width))) : hidden;
  }

 private:
  void add_blocks(std::vector<Block>& blocks, std::int64_t count, const Block::Options& options) {
    blocks.reserve(static_cast<std::size_t>(count));
    for (std::int64_t layer = 0; layer < count; ++layer) blocks.emplace_back(parameters_, config(), layer, options);
  }

  at::Tensor embedded(const at::Tensor& tokens_bt, const ForwardPass& pass) const {
    return dropout_.forward(ops::embedding(tokens_bt, embedding_->value), pass);
  }

  static at::Tensor through(const std::vector<Block>& blocks, at::Tensor x, const ForwardPass& pass) {
    for (const Block& block : blocks) x = block.forward(x, pass);
    return x;
  }

  const Parameter* embedding_;
  Dropout dropout_;
  RelativeBias encoder_bias_;
  std::vector<Block> encoder_blocks_;
  std::optional<Norm> encoder_norm_;
  std::optional<RelativeBias> bias_;
  std::vector<Block> blocks_;
  std::optional<Norm> norm_;
};

}  // namespace

std::unique_ptr<Model> make_encoder_decoder(const ModelConfig& config, std::int64_t vocabulary, Part part,
                                            const Block::Options& block) {
  return std::make_unique<EncoderDecoder>(config, vocabulary, part, block);
}

}  // namespace trireme::models
