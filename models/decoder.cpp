#include "models/decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>

#include <cmath>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "models/generate/kv_cache.h"
#include "models/kernels/ops.h"
#include "models/layer_list.h"
#include "models/layers/initial.h"
#include "models/layers/recompute.h"
#include "models/weight_access.h"

namespace trireme::models {
namespace {

class Decoder final : public Model {
 public:
  Decoder(const ModelConfig& config, std::int64_t vocabulary, Part part, const DecoderOptions& options)
      : Model(config, vocabulary, part),
        embedding_scale_(options.embedding_scale),
        embedding_(add_embedding(initial(config))),
        dropout_(config, "embedding") {
    if (!options.learned_positions)
      rotary_.emplace(config);
    else if (begins())
      positions_ =
          &parameters_.add("position-embedding.weight", {config.context, config.width}, initial(config), Role::kTable);
    add_blocks(options.block);
    if (ends()) norm_.emplace(parameters_, "norm.", config.width, options.block.norm, config.norm_epsilon);
    add_head(initial(config), /*bias=*/config.head == "labels");
  }

  at::Tensor forward(const at::Tensor& input, const ForwardPass& pass) override {
    if (pass.cache && cache_border() && pass.cache->length() > 0 && pass.cache->length() <= *cache_border() &&
        pass.cache->length() + input.size(1) > *cache_border())
      throw Error(ErrorCode::kBug, "keys of ", pass.cache->length(), " tokens do not fit a sequence of more than ",
                  *cache_border(), ": the cache is to be cleared");
    at::Tensor x = begins() ? embedded(input, pass) : input;
    const std::int64_t tokens = x.size(1);
    for (const Block& block : blocks_)
      x = with_weights(pass.weights, block.group(), x, [&](const at::Tensor& in) {
        return recomputed(
            pass.recompute, in, [&block, pass](const at::Tensor& y) { return block.forward(y, pass); },
            block.last_is_read());
      });
    if (pass.cache) pass.cache->advance(tokens);
    if (!ends()) return x;
    return with_weights(pass.weights, "norm", x, [&](const at::Tensor& in) { return norm_->forward(in); });
  }

  std::optional<std::int64_t> cache_border() const override { return rotary_ ? rotary_->border() : std::nullopt; }

 private:
  void add_blocks(Block::Options options) {
    const ModelConfig& c = config();
    options.attention.rotary = rotary_ ? &*rotary_ : nullptr;
    const std::vector<bool> windowed = layer_list(c.window_layers, c.layers, "model.window-layers");
    const std::vector<bool> with_experts = layer_list(c.experts.layers, c.layers, "model.experts.layers");
    blocks_.reserve(static_cast<std::size_t>(part().last - part().first));
    for (std::int64_t layer = part().first; layer < part().last; ++layer) {
      ops::AttentionRule& rule = options.attention.rule;
      rule = {.scale = c.attention_scale,
              .softcap = c.attention_softcap,
              .window = windowed[static_cast<std::size_t>(layer)] ? c.window : 0};
      if (c.attention_scale_by_layer) {
        if (rule.scale == 0) rule.scale = 1 / std::sqrt(static_cast<double>(c.head_width_or_default()));
        rule.scale /= static_cast<double>(layer + 1);
      }
      options.experts = c.experts.count > 0 && with_experts[static_cast<std::size_t>(layer)];
      blocks_.emplace_back(parameters_, c, layer, options);
    }
  }

  at::Tensor embedded(const at::Tensor& tokens_bt, const ForwardPass& pass) const {
    const std::int64_t offset = pass.cache ? pass.cache->length() : 0;
    const std::int64_t tokens = pass.documents ? pass.documents->longest() : tokens_bt.size(1);
    if (tokens > config().context - offset)
      throw Error(ErrorCode::kBadInput, "position ", offset + tokens, " lies beyond model.context ", config().context);
    const ReadingWeights reading(pass.weights, "embedding");
    at::Tensor x = ops::embedding(tokens_bt, embedding_->value);
    // The scale is rounded to the weights' type first, as the models that have one were trained.
    if (embedding_scale_ != 1) x = x * at::scalar_tensor(embedding_scale_, x.options());
    if (positions_) {
      const ReadingWeights reading_positions(pass.weights, "position-embedding");
      x = x + (pass.documents ? ops::embedding(pass.documents->positions().view(tokens_bt.sizes()), positions_->value)
                              : positions_->value.narrow(0, offset, tokens));
    }
    x = dropout_.forward(x, pass);
    // Below adapters nothing learns; what lies above an input without a gradient would be taken for the same.
    if (embedding_->frozen && at::GradMode::is_enabled()) x.set_requires_grad(true);
    return x;
  }

  double embedding_scale_;
  std::optional<RotaryEmbedding> rotary_;
  const Parameter *embedding_, *positions_ = nullptr;
  Dropout dropout_;
  std::vector<Block> blocks_;
  std::optional<Norm> norm_;
};

}  // namespace

std::unique_ptr<Model> make_decoder(const ModelConfig& config, std::int64_t vocabulary, Part part,
                                    const DecoderOptions& options) {
  return std::make_unique<Decoder>(config, vocabulary, part, options);
}

}  // namespace trireme::models
