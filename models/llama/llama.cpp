#include "models/llama/llama.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"
#include "models/kernels/ops.h"
#include "models/layers/attention.h"
#include "models/layers/feed_forward.h"

namespace trireme::models {
namespace {

void require(bool ok, const auto&... message) {
  if (!ok) throw Error(ErrorCode::kUsage, message...);
}

const ModelConfig& validated(const ModelConfig& c, std::int64_t vocabulary) {
  require(vocabulary >= 1, "the vocabulary must hold at least one token, got ", vocabulary);
  require(c.width % c.heads == 0, "model.heads must divide model.width, got ", c.heads, " heads for width ", c.width);
  require(c.heads % c.kv_heads_or_default() == 0, "model.kv-heads must divide model.heads, got ", c.kv_heads,
          " for heads ", c.heads);
  require(c.dropout == 0, "model.dropout is not available for family llama and must be 0, got ", c.dropout);
  return c;
}

// Standard deviations of initial values: sqrt(2 / (5 * width)) (Nguyen and Salazar 2019, arXiv:1910.05895), which is
// the 0.02 of GPT-2 and LLaMA at width 1,000 and suits other widths as well. Projections that end on the residual
// stream get less, so that its variance does not grow with depth (Radford et al. 2019, section 2.3).
double deviation(const ModelConfig& config) { return std::sqrt(2.0 / (5.0 * static_cast<double>(config.width))); }
double output_deviation(const ModelConfig& config) {
  return deviation(config) / std::sqrt(2.0 * static_cast<double>(config.layers));
}

struct Block {
  Block(ParameterList& parameters, const std::string& prefix, const ModelConfig& config, std::int64_t layer)
      : attention_norm(&parameters.add(prefix + "attention-norm.weight", {config.width}, Init::ones())),
        attention(parameters, prefix + "attention.", config, layer, deviation(config), output_deviation(config)),
        feed_forward_norm(&parameters.add(prefix + "feed-forward-norm.weight", {config.width}, Init::ones())),
        feed_forward(parameters, prefix + "feed-forward.", config, deviation(config), output_deviation(config)) {}

  const Parameter* attention_norm;
  Attention attention;
  const Parameter* feed_forward_norm;
  GatedFeedForward feed_forward;
};

class Llama final : public Model {
 public:
  Llama(const ModelConfig& config, std::int64_t vocabulary)
      : Model(validated(config, vocabulary), vocabulary),
        rotary_(config.head_width(), config.context, config.rope_base) {
    embedding_ = &parameters_.add("embedding.weight", {vocabulary, config.width}, Init::normal(deviation(config)));
    blocks_.reserve(static_cast<std::size_t>(config.layers));
    for (std::int64_t layer = 0; layer < config.layers; ++layer)
      blocks_.emplace_back(parameters_, "blocks." + std::to_string(layer) + ".", config, layer);
    norm_ = &parameters_.add("norm.weight", {config.width}, Init::ones());
    head_ = config.tie_embeddings
                ? &parameters_.add_tied("head.weight", *embedding_)
                : &parameters_.add("head.weight", {vocabulary, config.width}, Init::normal(deviation(config)));
  }

  at::Tensor forward(const at::Tensor& tokens_bt, KvCache* cache) override {
    const double epsilon = config().norm_epsilon;
    at::Tensor x = ops::embedding(tokens_bt, embedding_->value);
    for (const Block& block : blocks_) {
      x = x + block.attention.forward(ops::rms_norm(x, block.attention_norm->value, epsilon), rotary_, cache);
      x = x + block.feed_forward.forward(ops::rms_norm(x, block.feed_forward_norm->value, epsilon));
    }
    if (cache) cache->advance(tokens_bt.size(1));
    return ops::rms_norm(x, norm_->value, epsilon);
  }

  const Parameter& head() const override { return *head_; }

 private:
  RotaryEmbedding rotary_;
  const Parameter* embedding_;
  std::vector<Block> blocks_;
  const Parameter *norm_, *head_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const ModelConfig& config, std::int64_t vocabulary) {
  return std::make_unique<Llama>(config, vocabulary);
}

}  // namespace trireme::models
