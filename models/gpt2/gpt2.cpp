#include "models/gpt2/gpt2.h"

#include <ATen/TensorOperators.h>

#include "core/base/error.h"
#include "models/kernels/ops.h"
#include "models/layers/block.h"
#include "models/layers/feed_forward.h"
#include "models/layers/initial.h"
#include "models/layers/norm.h"

namespace trireme::models {
namespace {

const ModelConfig& validated(const ModelConfig& config) {
  if (config.kv_heads_or_default() != config.heads)
    throw Error(ErrorCode::kUsage, "model.kv-heads must be 0 or model.heads for family gpt2, which shares none; got ",
                config.kv_heads, " for heads ", config.heads);
  if (config.rope_base != ModelConfig{}.rope_base)
    throw Error(ErrorCode::kUsage,
                "model.rope-base has no meaning for family gpt2, whose positions are learned; "
                "allowed: ",
                ModelConfig{}.rope_base, ", got ", config.rope_base);
  return config;
}

class Gpt2 final : public Model {
 public:
  Gpt2(const ModelConfig& config, std::int64_t vocabulary)
      : Model(validated(config), vocabulary),
        embedding_(parameters_.add("embedding.weight", {vocabulary, config.width}, initial(config), Role::kTable)),
        positions_(parameters_.add("position-embedding.weight", {config.context, config.width}, initial(config),
                                   Role::kTable)),
        dropout_(config, "embedding"),
        blocks_(parameters_, config, {.bias = Linear::Bias::kZeros}),
        norm_(parameters_, "norm.", config),
        head_(add_head(embedding_)) {}

  at::Tensor forward(const at::Tensor& tokens_bt, const ForwardPass& pass) override {
    const std::int64_t offset = pass.cache ? pass.cache->length() : 0, tokens = tokens_bt.size(1);
    if (tokens > config().context - offset)
      throw Error(ErrorCode::kBadInput, "position ", offset + tokens, " lies beyond model.context ", config().context);
    const at::Tensor x = ops::embedding(tokens_bt, embedding_.value) + positions_.value.narrow(0, offset, tokens);
    return norm_.forward(blocks_.forward(dropout_.forward(x, pass), pass));
  }

  const Parameter& head() const override { return head_; }

 private:
  const Parameter &embedding_, &positions_;
  Dropout dropout_;
  Blocks<LayerNorm, FeedForward> blocks_;
  LayerNorm norm_;
  const Parameter& head_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2(const ModelConfig& config, std::int64_t vocabulary) {
  return std::make_unique<Gpt2>(config, vocabulary);
}

}  // namespace trireme::models
