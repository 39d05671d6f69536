#include "models/gpt2/gpt2.h"

#include <ATen/TensorOperators.h>

#include <optional>

#include "core/base/error.h"
#include "models/kernels/ops.h"
#include "models/layers/block.h"
#include "models/layers/feed_forward.h"
#include "models/layers/initial.h"
#include "models/layers/norm.h"
#include "models/weight_access.h"

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
  Gpt2(const ModelConfig& config, std::int64_t vocabulary, Part part)
      : Model(validated(config), vocabulary, part),
        embedding_(add_embedding(initial(config))),
        positions_(begins() ? &parameters_.add("position-embedding.weight", {config.context, config.width},
                                               initial(config), Role::kTable)
                            : nullptr),
        dropout_(config, "embedding"),
        blocks_(parameters_, config, this->part(), {.bias = Linear::Bias::kZeros}) {
    if (ends()) norm_.emplace(parameters_, "norm.", config);
    add_head(initial(config));
  }

  at::Tensor forward(const at::Tensor& input, const ForwardPass& pass) override {
    const at::Tensor y = blocks_.forward(begins() ? embedded(input, pass) : input, pass);
    if (!ends()) return y;
    return with_weights(pass.weights, "norm", y, [&](const at::Tensor& in) { return norm_->forward(in); });
  }

 private:
  at::Tensor embedded(const at::Tensor& tokens_bt, const ForwardPass& pass) const {
    const std::int64_t offset = pass.cache ? pass.cache->length() : 0, tokens = tokens_bt.size(1);
    if (tokens > config().context - offset)
      throw Error(ErrorCode::kBadInput, "position ", offset + tokens, " lies beyond model.context ", config().context);
    const ReadingWeights tokens_table(pass.weights, "embedding"), positions_table(pass.weights, "position-embedding");
    return dropout_.forward(ops::embedding(tokens_bt, embedding_->value) + positions_->value.narrow(0, offset, tokens),
                            pass);
  }

  const Parameter *embedding_, *positions_;
  Dropout dropout_;
  Blocks<LayerNorm, FeedForward> blocks_;
  std::optional<LayerNorm> norm_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2(const ModelConfig& config, std::int64_t vocabulary, Part part) {
  return std::make_unique<Gpt2>(config, vocabulary, part);
}

}  // namespace trireme::models
